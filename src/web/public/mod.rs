//! The member's pages. `GET` and `HEAD` change nothing; the button is a `POST`.

mod answer;
mod asked;
mod cookie;
mod link;
mod unsubscribe;

use super::pages::{Page, Pages};
use super::rate_limit::{RateLimit, limit_rate};
use crate::base::clock::Clock;
use crate::reconnect::redeem::Redeemer;
use crate::store::Store;
use crate::traffic::RequestRecorder;
use answer::Reader;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// A form of ours is far smaller.
const LARGEST_BODY: usize = 16 * 1024;

/// What the public pages need.
#[derive(Clone)]
pub struct PublicState {
    /// Reads and redeems links.
    pub(crate) redeemer: Redeemer,
    /// Where it is kept who wants no mail.
    pub(crate) store: Store,
    /// The time.
    pub(crate) clock: Clock,
    pub(crate) request_recorder: RequestRecorder,
    /// Draws the pages.
    pub(crate) pages: Arc<Pages>,
    /// Where what OAuth cannot repair is repaired.
    pub(crate) app_url: Option<String>,
    /// The public URL's own path, without a slash at the end.
    pub(crate) prefix: String,
    /// Whether the public URL is https.
    pub(crate) secure: bool,
    /// Proxies of the operator's own before the listener.
    pub(crate) trusted_proxies: usize,
    /// What one client address may ask for; 0: no limit.
    pub(crate) requests_per_minute: u32,
}

/// The public pages: at the root, for a proxy that takes the public URL's own path off, and under that path, for one
/// that does not.
pub fn public(state: PublicState) -> Router {
    let prefix = state.prefix.clone();
    let pages = pages(state);
    if prefix.is_empty() { pages } else { pages.clone().without_v07_checks().nest(&prefix, pages) }
}

fn pages(state: PublicState) -> Router {
    let broken = state.clone();
    let rejecting = state.clone();
    let rate_limit =
        RateLimit::new(state.requests_per_minute, state.trusted_proxies, &state.clock, move |headers| {
            rejecting.page(&Reader::visitor(headers), &Page::TooMany)
        });
    Router::new()
        .route("/r/{token}", get(link::look).post(link::redeem))
        // Some link checkers like addresses to end so.
        .route("/r/{token}/", get(link::look).post(link::redeem))
        .route("/r/{token}/resend", post(link::resend).get(back))
        .route("/r/{token}/resume", post(link::resume).get(back))
        .route("/r/{token}/dismiss", post(link::dismiss).get(back))
        .route("/u/{token}", get(unsubscribe::look).post(unsubscribe::stop))
        .route("/u/{token}/resume", post(unsubscribe::resume).get(back))
        .route("/done", get(link::done))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(rate_limit, limit_rate))
        // The panic itself is in the log; the member sees a page.
        .layer(CatchPanicLayer::custom(move |_| broken.failed_page()))
        .with_state(state)
}

/// Where a form was posted to: a browser that opens its last pages again asks for it. The form's own page is one step up.
async fn back(State(state): State<PublicState>, uri: Uri) -> Response {
    let page = uri.path().rsplit_once('/').map_or("", |(page, _)| page);
    state.back_to(&format!("{}{page}", state.prefix))
}

async fn not_found(State(state): State<PublicState>, headers: HeaderMap) -> Response {
    state.page(&Reader::visitor(&headers), &Page::Unknown)
}

async fn not_allowed(state: State<PublicState>, headers: HeaderMap) -> Response {
    let mut response = not_found(state, headers).await;
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
