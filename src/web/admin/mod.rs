//! The admin listener: health and metrics for the operator's monitoring, the API, and the dashboard.

mod access;
mod api;
mod dashboard;
mod health;
mod state;

use crate::web::problem::Problem;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::any_service;
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use access::AccessTokens;
pub(crate) use health::HealthState;
pub(crate) use state::{AdminServices, AdminState};

/// Health and metrics need no token, and answer under any host: probes and scrapers use names of their own.
pub(crate) fn admin_router(health: HealthState, state: AdminState) -> Router {
    let api = api::router()
        .layer(from_fn_with_state(state.clone(), access::require_token))
        .layer(from_fn_with_state(state.clone(), access::require_own_host))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "an error of the daemon").into_response()
        }))
        .with_state(state.clone());
    let dashboard = dashboard::router(state.clone(), health.clone())
        .layer(from_fn_with_state(state, access::require_own_host));
    health::router(health).route("/api/v1/", any_service(api.clone())).nest("/api/v1", api).merge(dashboard)
}
