//! Notices.

use super::caller::Caller;
use super::extract::{ApiQuery, Id};
use super::failure::{conflict, not_found};
use super::page::{Page, list_query};
use super::parameters::{id, word};
use crate::domain::{MemberId, NoticeId};
use crate::rows::{AttemptRow, NoticeRow, RetriedNoticeRow};
use crate::web::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};

list_query!(NoticesQuery {
    /// Only about this member
    member_id,
    /// Only in this state: `queued`, `sending`, `sent`, `held`, `abandoned`, or `cancelled`
    state,
});

/// List notices, oldest first
#[utoipa::path(get, operation_id = "list_notices", path = "/notices", tag = "notices", params(NoticesQuery),
    responses((status = 200, description = "a page", body = Page<NoticeRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<NoticesQuery>,
) -> Result<Response, Problem> {
    let request = query.page::<String>()?;
    let member: Option<MemberId> = id("member_id", query.member_id.as_deref())?;
    let states = "queued, sending, sent, held, abandoned, or cancelled";
    let state = word("state", query.state.as_deref(), states)?;
    let after = request.after.as_deref().map(NoticeId::from);
    let listed = caller.store.notices_in(state, member.as_ref(), after.as_ref(), request.fetch()).await?;
    let page = request.page(&listed, |listed| listed.notice.id.as_str().to_owned(), NoticeRow::from);
    caller.record_read("notices", member.as_ref(), page.items.len()).await?;
    Ok(page.into_response())
}

/// Show a notice and its delivery attempts
#[utoipa::path(get, operation_id = "show_notice", path = "/notices/{id}", tag = "notices", params(("id" = String, Path, description = "notice id")),
    responses((status = 200, description = "the notice, with `history`", body = NoticeRow<'static>),
        (status = 404, response = super::document::NotFound)))]
pub(super) async fn show(caller: Caller, Id(id): Id<NoticeId>) -> Result<Response, Problem> {
    let listed = caller.store.notices(None, Some(&id), None, 1).await?;
    let listed = listed.first().ok_or_else(no_such_notice)?;
    let attempts = caller.store.attempts(&id).await?;
    let history = attempts.iter().map(AttemptRow::from).collect();
    caller.record_read("notices", Some(&listed.notice.member_id), 1).await?;
    Ok(Json(NoticeRow { history: Some(history), ..NoticeRow::from(listed) }).into_response())
}

/// Send a deferred or abandoned notice now, and reset its attempt count
#[utoipa::path(post, operation_id = "retry_notice", path = "/notices/{id}/retry", tag = "notices",
    params(("id" = String, Path, description = "notice id")),
    responses((status = 200, description = "queued", body = RetriedNoticeRow<'static>),
        (status = 404, response = super::document::NotFound), (status = 409, response = super::document::Conflict)))]
pub(super) async fn retry(caller: Caller, Id(id): Id<NoticeId>) -> Result<Response, Problem> {
    if caller.store.retry_notice(&id, caller.clock.now()).await? {
        return Ok(Json(RetriedNoticeRow { notice_id: id.as_str(), queued: true }).into_response());
    }
    match caller.store.notices(None, Some(&id), None, 1).await?.first() {
        None => Err(no_such_notice()),
        Some(listed) => {
            let state = listed.notice.state.as_str();
            Err(conflict(format!("there is nothing to retry: the notice is {state}")))
        }
    }
}

fn no_such_notice() -> Problem {
    not_found("there is no such notice")
}
