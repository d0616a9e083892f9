//! Health and metrics, on a listener of their own.

use crate::store::Store;
use crate::telemetry::metrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};

/// What the admin endpoints need.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// For `/readyz`.
    pub store: Store,
}

/// The admin endpoints.
pub fn admin(state: AdminState) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(prometheus))
        .with_state(state)
}

/// Whether the database answers.
async fn ready(State(state): State<AdminState>) -> Response {
    match state.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

async fn prometheus() -> Response {
    let text = metrics::render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
