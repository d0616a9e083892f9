//! Health and metrics, on a listener of their own.

use crate::store::Store;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;

/// What the admin endpoints need.
#[derive(Clone)]
pub struct AdminState {
    /// For `/readyz`.
    pub store: Store,
    /// For `/metrics`; without it nothing is counted.
    pub metrics: Option<PrometheusHandle>,
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

async fn prometheus(State(state): State<AdminState>) -> Response {
    let text = state.metrics.map(|metrics| metrics.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
