//! The dashboard: pages for operators, without scripts.

mod address;
mod answer;
mod charts;
mod error;
mod fault;
mod format;
mod login;
mod redirect;
mod render;
mod session;
mod shown;
mod state;
mod views;
mod visit;
mod zone;
mod zone_form;

use super::health::HealthState;
use super::state::AdminState;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use error::PageError;
use state::Dashboard;
use tower_http::catch_panic::CatchPanicLayer;

const MAX_BODY: usize = 16 * 1024;

/// Forms lead nowhere else, nothing is loaded from elsewhere, and no script runs.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer`, forms would come without their origin.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(super) fn router(admin: AdminState, health: HealthState) -> Router {
    Router::new()
        .route("/", get(views::working::view))
        .route("/broken", get(views::broken::view))
        .route("/reached", get(views::reached::view))
        .route("/sources", get(views::sources::view))
        .route("/held", get(views::held::view))
        .route("/held/release", get(views::held::confirm).post(views::held::release))
        .route("/failed", get(views::failed::view))
        .route("/failed/retry", get(views::failed::confirm).post(views::failed::retry))
        .route("/unreachable", get(views::unreachable::view))
        .route("/unreachable.csv", get(views::unreachable::export))
        .route("/member", get(views::member::view))
        .route("/member/change", get(views::member::confirm).post(views::member::change))
        .route("/audit", get(views::audit::view))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/zone", post(zone_form::choose))
        .route("/dashboard.css", get(style))
        .fallback(async || PageError::NoSuchPage)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(secure))
        .with_state(Dashboard::new(admin, health))
}

async fn style() -> Response {
    const STYLE: &str = include_str!("style.css");
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "private, max-age=300")],
        STYLE,
    )
        .into_response()
}

async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
