//! Bearer tokens (RFC 6750).

use super::tokens::{Access, NO_TOKENS};
use crate::base::telemetry::metrics;
use crate::web::admin::state::AdminState;
use crate::web::problem::Problem;
use crate::web::rate_limit_key::RateLimitKey;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;

/// Middleware: lets only requests with a token pass, which is then in the request's extensions, and with a token that may
/// only read, only requests that read. Wrong tokens are limited, right ones are not.
pub(in crate::web::admin) async fn require_token(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    if state.tokens.is_empty() {
        return Problem::new(StatusCode::FORBIDDEN, NO_TOKENS).into_response();
    }
    let Some(token) = bearer_token(request.headers()) else {
        return challenge("Bearer realm=\"reconnectd\"", "the request has no bearer token");
    };
    let Some(access) = state.tokens.find(token) else {
        return match state.wrong_tokens.count(RateLimitKey::new(peer, request.headers(), 0)) {
            Ok(()) => {
                tracing::warn!(
                    event = "wrong_admin_token",
                    "a request to the API came with an unknown token"
                );
                challenge("Bearer realm=\"reconnectd\", error=\"invalid_token\"", "the token is unknown")
            }
            Err(wait) => {
                metrics::count_rate_limited_request("admin_tokens");
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many unknown tokens")
                    .retry_after(wait)
                    .into_response()
            }
        };
    };
    if !access.may_write() && !is_read(request.method()) {
        return Problem::new(StatusCode::FORBIDDEN, "this token may only read").into_response();
    }
    let access: Access = access.clone();
    request.extensions_mut().insert(access);
    next.run(request).await
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn challenge(challenge: &'static str, detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_the_scheme() {
        let token = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            bearer_token(&headers).map(|token| String::from_utf8_lossy(token).into_owned())
        };
        for value in ["Bearer sesame", "bearer  sesame "] {
            assert_eq!(token(value).as_deref(), Some("sesame"), "{value}");
        }
        for value in ["Basic sesame", "Bearer", "Bearer ", "sesame"] {
            assert_eq!(token(value), None, "{value}");
        }
    }
}
