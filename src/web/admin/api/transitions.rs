//! Observed changes of status.

use super::caller::Caller;
use super::extract::ApiQuery;
use super::page::{Page, list_query};
use super::parameters::id;
use crate::domain::{MemberId, TransitionId};
use crate::rows::TransitionRow;
use crate::web::problem::Problem;
use axum::response::{IntoResponse, Response};

list_query!(TransitionsQuery {
    /// Only of this member
    member_id,
});

/// List transitions, oldest first
#[utoipa::path(get, operation_id = "list_transitions", path = "/transitions", tag = "connections", params(TransitionsQuery),
    responses((status = 200, description = "a page", body = Page<TransitionRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<TransitionsQuery>,
) -> Result<Response, Problem> {
    let request = query.page::<String>()?;
    let member: Option<MemberId> = id("member_id", query.member_id.as_deref())?;
    let after = request.after.as_deref().map(TransitionId::from);
    let transitions = caller.store.transitions(member.as_ref(), after.as_ref(), request.fetch()).await?;
    let page =
        request.page(&transitions, |transition| transition.id.as_str().to_owned(), TransitionRow::from);
    caller.record_read("transitions", member.as_ref(), page.items.len()).await?;
    Ok(page.into_response())
}
