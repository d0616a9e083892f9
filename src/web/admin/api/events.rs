//! Events for the operator's own systems.

use super::caller::Caller;
use super::extract::{ApiQuery, Id};
use super::failure::{conflict, not_found};
use super::page::{Page, list_query};
use super::parameters::word;
use crate::domain::EventId;
use crate::rows::{EventRow, RetriedEventRow};
use crate::web::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};

list_query!(EventsQuery {
    /// Only in this state: `queued`, `sending`, `delivered`, or `failed`
    state,
});

/// List events, oldest first
#[utoipa::path(get, operation_id = "list_events", path = "/events", tag = "events", params(EventsQuery),
    responses((status = 200, description = "a page", body = Page<EventRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<EventsQuery>,
) -> Result<Response, Problem> {
    let request = query.page::<i64>()?;
    let state = word("state", query.state.as_deref(), "queued, sending, delivered, or failed")?;
    let events = caller.store.events(state, request.after, request.fetch()).await?;
    let page = request.page(&events, |event| event.sequence, EventRow::from);
    caller.record_read("events", None, page.items.len()).await?;
    Ok(page.into_response())
}

/// Send an event now that failed, or waits for its next attempt
#[utoipa::path(post, operation_id = "retry_event", path = "/events/{id}/retry", tag = "events", params(("id" = String, Path, description = "event id")),
    responses((status = 200, description = "queued", body = RetriedEventRow<'static>),
        (status = 404, response = super::document::NotFound), (status = 409, response = super::document::Conflict)))]
pub(super) async fn retry(caller: Caller, Id(id): Id<EventId>) -> Result<Response, Problem> {
    match caller.store.retry_event(&id, caller.clock.now()).await? {
        None => Err(not_found("there is no such event")),
        Some(true) => Ok(Json(RetriedEventRow { event_id: id.as_str(), queued: true }).into_response()),
        Some(false) => Err(conflict(
            "there is nothing to retry: the event is delivered, being sent, or waits for an earlier one of its member",
        )),
    }
}
