//! HTTP Basic (RFC 7617) with one password and any user name.

use super::state::HookState;
use crate::base::telemetry::metrics;
use crate::web::problem::Problem;
use crate::web::rate_limit_key::RateLimitKey;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;

/// SNS sends the password only after a challenge with a realm.
const CHALLENGE: &str = "Basic realm=\"reconnectd\", charset=\"UTF-8\"";

/// Middleware: lets only requests with the password pass. Wrong passwords are limited, right ones are not.
pub(super) async fn require_password(
    State(state): State<HookState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !request.headers().contains_key(header::AUTHORIZATION) {
        // SNS begins each delivery without the password.
        return challenge("the password is missing");
    }
    if password(request.headers()).is_some_and(|password| state.is_password(&password)) {
        return next.run(request).await;
    }
    let client = RateLimitKey::new(peer, request.headers(), state.services.trusted_proxies);
    match state.services.wrong_passwords.count(client) {
        Ok(()) => {
            let route = request.uri().path();
            tracing::warn!(event = "wrong_hook_password", route, "a report came with a wrong password");
            challenge("the password is wrong")
        }
        Err(wait) => {
            metrics::count_rate_limited_request("hook_passwords");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords")
                .retry_after(wait)
                .into_response()
        }
    }
}

fn challenge(detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    response
}

/// The password after the first colon.
fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, credentials) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password_in(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        password(&headers).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_password_comes_after_any_user_name() {
        for (plain, expected) in [
            ("any:sesame", "sesame"),
            (":sesame", "sesame"),
            ("a:se:same", "se:same"),
            ("any:", ""),
            ("any:sésame", "sésame"),
        ] {
            let encoded = STANDARD.encode(plain);
            for value in [format!("Basic {encoded}"), format!("basic  {encoded} ")] {
                assert_eq!(password_in(&value).as_deref(), Some(expected), "{plain}");
            }
        }
        let without_colon = format!("Basic {}", STANDARD.encode("sesame"));
        for value in ["Bearer sesame", "Basic", "Basic !", "", &without_colon] {
            assert_eq!(password_in(value), None, "{value}");
        }
    }
}
