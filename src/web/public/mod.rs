//! The public listener: the member's pages, where `GET` and `HEAD` change nothing and the button is a `POST`, and the hooks.

mod extract;
#[cfg(test)]
mod fuzz_tests;
mod link;
mod link_path;
mod response;
mod resume_cookie;
mod state;
mod unsubscribe;

pub(crate) use state::PublicServices;
pub use state::PublicState;

use super::hooks::{bwell_hook, hooks};
use super::pages::Page;
use super::rate_limit::{RateLimit, limit_rate};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, Version, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use tower::Layer;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;

/// In bytes. The pages' own forms are far smaller.
const MAX_BODY: usize = 16 * 1024;

/// The public pages, at the root and under the public URL's own path: some proxies strip that path, some do not.
pub fn public(state: PublicState) -> Router {
    let prefix = state.prefix.clone();
    let (hook_state, bwell) = (state.hooks.clone(), state.bwell.clone());
    let mut pages = pages(state);
    if let Some(state) = hook_state {
        // With limits of their own.
        pages = pages.merge(hooks(state));
    }
    if let Some(state) = bwell {
        pages = pages.merge(bwell_hook(state));
    }
    let pages =
        if prefix.is_empty() { pages } else { pages.clone().without_v07_checks().nest(&prefix, pages) };
    let clean = move |mut request: Request| {
        let method = request.method().clone();
        *request.uri_mut() = link_path::clean(&method, std::mem::take(request.uri_mut()), &prefix);
        request
    };
    // Before the routes: they match the path.
    Router::new().fallback_service(MapRequestLayer::new(clean).layer(pages))
}

fn pages(state: PublicState) -> Router {
    let broken = state.clone();
    let (rejecting, hostless) = (state.clone(), state.clone());
    let quotas = state.client_limits.quotas.clone();
    let rate_limit = RateLimit::new(quotas, state.trusted_proxies, move |headers| {
        rejecting.page(&rejecting.browser_context(headers), &Page::TooManyRequests)
    });
    let links = Router::new()
        .route("/r/{token}", get(link::view).post(link::redeem))
        .route("/r/{token}/resend", post(link::resend).get(back))
        .route("/r/{token}/resubscribe", post(link::resubscribe).get(back))
        .route("/r/{token}/dismiss", post(link::dismiss).get(back))
        .route("/r/{token}/snooze", post(link::snooze).get(back))
        .route("/r/{token}/undo", post(link::undo).get(back));
    links
        .route("/u/{token}", get(unsubscribe::view).post(unsubscribe::unsubscribe))
        .route("/u/{token}/resubscribe", post(unsubscribe::resubscribe).get(back))
        .route("/", get(root))
        .route("/oauth/return", get(link::oauth_return))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(hostless, require_host))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(rate_limit, limit_rate))
        .layer(CatchPanicLayer::custom(move |_| broken.failed_page()))
        .with_state(state)
}

/// A browser that restores its last pages requests with GET the path that a form was posted to. The form's page is one
/// level up.
async fn back(State(state): State<PublicState>, uri: Uri) -> Response {
    let page = uri.path().rsplit_once('/').map_or("", |(page, _)| page);
    state.redirect_back(&format!("{}{page}", state.prefix))
}

/// RFC 9112, section 3.2: an HTTP/1.1 request without Host, or with two, is invalid.
async fn require_host(State(state): State<PublicState>, request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts != 1 && request.version() == Version::HTTP_11 && request.uri().host().is_none() {
        return state.page(&state.browser_context(request.headers()), &Page::BadRequest);
    }
    next.run(request).await
}

async fn root(State(state): State<PublicState>, headers: HeaderMap) -> Response {
    state.page(&state.browser_context(&headers), &Page::Root)
}

async fn not_found(State(state): State<PublicState>, headers: HeaderMap) -> Response {
    state.page(&state.browser_context(&headers), &Page::LinkNotFound)
}

async fn not_allowed(state: State<PublicState>, headers: HeaderMap) -> Response {
    let mut response = not_found(state, headers).await;
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
