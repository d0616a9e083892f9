//! The fleet at a glance.

use super::caller::Caller;
use crate::rows::{HoldRow, StatusRow};
use crate::web::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};

/// Show the fleet at a glance
///
/// In a large fleet, the counts can be some minutes old.
#[utoipa::path(get, operation_id = "show_status", path = "/status", tag = "fleet",
    responses((status = 200, description = "the fleet", body = StatusRow<'static>)))]
pub(super) async fn show(caller: Caller) -> Result<Response, Problem> {
    let now = caller.clock.now();
    let (fleet, funnel) = (caller.fleet.stats().await?, caller.fleet.funnel().await?);
    let events = caller.fleet.events().await?;
    let holds = caller.store.active_holds().await?;
    let rows = holds.iter().map(|hold| HoldRow::new(hold, caller.drip_per_minute)).collect();
    let instances = caller.store.live_daemons(now).await?;
    Ok(Json(StatusRow::new(&fleet, &funnel, rows, instances, (*events).clone(), now)).into_response())
}
