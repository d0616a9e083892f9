//! Lapses.

use super::caller::Caller;
use super::extract::ApiQuery;
use super::page::{Page, list_query};
use super::parameters::{id, word};
use crate::domain::{LapseId, MemberId};
use crate::rows::LapseRow;
use crate::web::problem::Problem;
use axum::response::{IntoResponse, Response};

list_query!(LapsesQuery {
    /// Only of this member
    member_id,
    /// Only in this state: `suspected`, `open`, or `closed`
    state,
});

/// List lapses, oldest first
#[utoipa::path(get, operation_id = "list_lapses", path = "/lapses", tag = "connections", params(LapsesQuery),
    responses((status = 200, description = "a page", body = Page<LapseRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<LapsesQuery>,
) -> Result<Response, Problem> {
    let request = query.page::<String>()?;
    let member: Option<MemberId> = id("member_id", query.member_id.as_deref())?;
    let state = word("state", query.state.as_deref(), "suspected, open, or closed")?;
    let after = request.after.as_deref().map(LapseId::from);
    let lapses = caller.store.lapses_in(state, member.as_ref(), after.as_ref(), request.fetch()).await?;
    let page = request.page(&lapses, |lapse| lapse.id.as_str().to_owned(), LapseRow::from);
    caller.record_read("lapses", member.as_ref(), page.items.len()).await?;
    Ok(page.into_response())
}
