//! The `Host` of a request. A page of another site can make a browser send requests to the admin listener under a name of
//! its own (DNS rebinding), but not under an address, `localhost`, or a name that the operator configured.

use crate::web::admin::state::AdminState;
use crate::web::problem::Problem;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Middleware: 421 for a foreign host.
pub(in crate::web::admin) async fn require_own_host(
    State(state): State<AdminState>,
    request: Request,
    next: Next,
) -> Response {
    let is_own = host(request.uri(), request.headers()).is_some_and(|host| is_own(&host, &state.hosts));
    if is_own {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "the Host of the request is no address, not localhost, and not in admin.hosts of the configuration",
    )
    .into_response()
}

/// In lower case, without the port. `None`: there is none, or several.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::HOST).iter();
    let authority: Authority = match (uri.authority(), values.next(), values.next()) {
        (Some(authority), _, None) => authority.clone(),
        (None, Some(value), None) => value.to_str().ok()?.parse().ok()?,
        _ => return None,
    };
    (!authority.as_str().contains('@')).then(|| authority.host().to_ascii_lowercase())
}

fn is_own(host: &str, configured: &[String]) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<IpAddr>().is_ok() || configured.iter().any(|own| own == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_configured_names_are_own_hosts() {
        let configured = ["admin.example.org".to_owned()];
        let is_own = |value: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, value.parse().unwrap())]);
            host(&Uri::from_static("/api/v1/status"), &headers).is_some_and(|host| is_own(&host, &configured))
        };
        for own in [
            "localhost",
            "LocalHost:9090",
            "127.0.0.1:9090",
            "10.1.2.3",
            "[::1]:9090",
            "[fe80::1]",
            "admin.example.org",
            "ADMIN.example.org:443",
        ] {
            assert!(is_own(own), "{own}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "sub.admin.example.org",
            "admin.example.org.evil.example",
            "evil@localhost",
            "",
            "localhost localhost",
        ] {
            assert!(!is_own(foreign), "{foreign}");
        }
        assert_eq!(host(&Uri::from_static("/"), &HeaderMap::new()), None, "without a Host");
    }
}
