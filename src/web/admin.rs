//! Health and metrics, on a listener of their own.

use crate::store::Store;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;

/// What the admin endpoints need.
#[derive(Clone)]
pub(crate) struct AdminState {
    /// For `/readyz`.
    pub(crate) store: Store,
    /// Whether no sweep has begun, or made progress, for several periods of the schedule.
    pub(crate) sweeps_overdue: Arc<dyn Fn() -> bool + Send + Sync>,
    /// For `/metrics`; without it nothing is counted.
    pub(crate) metrics: Option<PrometheusHandle>,
}

/// The admin endpoints.
pub(crate) fn admin(state: AdminState) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(prometheus))
        .with_state(state)
}

/// Whether the database answers and sweeps go on. A line of a 503 begins with a reason code.
async fn ready(State(state): State<AdminState>) -> Response {
    if let Err(error) = state.store.ping().await {
        tracing::error!(%error, "not ready");
        return not_ready("database_unavailable: the database does not answer\n");
    }
    if (state.sweeps_overdue)() {
        return not_ready("sweeps_overdue: no sweep has begun for several periods of sweep.schedule\n");
    }
    "ready\n".into_response()
}

fn not_ready(reason: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

async fn prometheus(State(state): State<AdminState>) -> Response {
    let text = state.metrics.map(|metrics| metrics.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
