//! Logging in with an admin token, and out.

use super::error::PageError;
use super::redirect::see_other;
use super::render::public_page;
use super::session::Session;
use super::state::Dashboard;
use super::visit::{Submission, clear_session, is_foreign, local_path};
use crate::base::telemetry::metrics;
use crate::domain::{AuditAction, AuditEntry};
use crate::web::rate_limit_key::RateLimitKey;
use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use minijinja::context;
use serde::Deserialize;
use std::net::SocketAddr;

#[derive(Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    token: String,
    #[serde(default)]
    to: String,
}

pub(super) async fn form(
    State(state): State<Dashboard>,
    Query(fields): Query<Fields>,
) -> Result<Response, PageError> {
    if state.admin.tokens.is_empty() {
        return Err(PageError::NoTokens);
    }
    Ok(login_page(StatusCode::OK, &fields.to, None))
}

fn login_page(status: StatusCode, to: &str, problem: Option<&str>) -> Response {
    public_page("login.html", status, "Log in", context! { to => local_path(to), problem })
}

pub(super) async fn log_in(
    State(state): State<Dashboard>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, PageError> {
    let admin = &state.admin;
    if admin.tokens.is_empty() {
        return Err(PageError::NoTokens);
    }
    if is_foreign(&headers) {
        return Err(PageError::ForeignForm);
    }
    let Some(access) = admin.tokens.find(fields.token.trim().as_bytes()) else {
        return Ok(match admin.wrong_tokens.count(RateLimitKey::new(peer, &headers, 0)) {
            Ok(()) => {
                tracing::warn!(
                    event = "wrong_admin_token",
                    "a login to the dashboard came with an unknown token"
                );
                login_page(StatusCode::UNAUTHORIZED, &fields.to, Some("That token is unknown."))
            }
            Err(wait) => {
                metrics::count_rate_limited_request("admin_tokens");
                let problem = "Too many unknown tokens. Wait a minute, and try again.";
                let mut response = login_page(StatusCode::TOO_MANY_REQUESTS, &fields.to, Some(problem));
                let seconds = wait.as_secs().max(1);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
        });
    };
    let session = Session::begin(access, &admin.tokens, &admin.keyring, state.now());
    let Some(cookie) = session.and_then(|session| session.cookie()) else {
        return Err(PageError::BadRequest("The key ring is empty, so that no session can be signed."));
    };
    state.store_of(access).record_audit(AuditEntry::new(AuditAction::Login), state.now()).await?;
    let mut response = see_other(local_path(&fields.to));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

pub(super) async fn log_out(_form: Submission) -> Response {
    let mut response = see_other("/login");
    response.headers_mut().append(header::SET_COOKIE, clear_session());
    response
}
