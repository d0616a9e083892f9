//! The admin listener: health and metrics for the operator's monitoring.

mod health;

use axum::Router;
pub(crate) use health::HealthState;

pub(crate) fn admin_router(health: HealthState) -> Router {
    health::router(health)
}
