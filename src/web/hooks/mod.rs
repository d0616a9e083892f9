//! `/hooks/…`: what mail providers report about emails, and the messages of b.well. The routes exist only if
//! `bounces.password` is set, or `gateway.webhook_secret`.

mod authorization;
mod body;
mod bwell;
mod handlers;
mod state;

pub(crate) use bwell::{BwellServices, BwellState};
pub(crate) use state::{HookServices, HookState};

use super::problem::Problem;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use tower_http::catch_panic::CatchPanicLayer;

/// In bytes. A message of SNS has 256 KiB, and its quotes are escaped in the envelope.
const MAX_BODY: usize = 512 * 1024;

pub(super) fn hooks(state: HookState) -> Router {
    let router = Router::new()
        .route("/hooks/ses", only_post(handlers::ses))
        .route("/hooks/postmark", only_post(handlers::postmark))
        .route("/hooks/bounces", only_post(handlers::relay))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        // Before a body is read.
        .layer(from_fn_with_state(state.clone(), authorization::require_password));
    catch_panics(router).with_state(state)
}

pub(super) fn bwell_hook(state: BwellState) -> Router {
    let router =
        Router::new().route("/hooks/bwell", only_post(bwell::receive)).layer(DefaultBodyLimit::max(MAX_BODY));
    catch_panics(router).with_state(state)
}

fn catch_panics<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(CatchPanicLayer::custom(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "an error of the daemon").into_response()
    }))
}

fn only_post<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    post(handler).fallback(not_allowed)
}

async fn not_allowed() -> Response {
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "only POST").into_response();
    response.headers_mut().insert("allow", axum::http::HeaderValue::from_static("POST"));
    response
}
