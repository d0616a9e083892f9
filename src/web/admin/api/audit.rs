//! What operators did.

use super::caller::Caller;
use super::extract::ApiQuery;
use super::failure::bad_request;
use super::page::{Page, list_query};
use super::parameters::id;
use crate::domain::{MemberId, Time};
use crate::rows::AuditRow;
use crate::web::problem::Problem;
use axum::response::{IntoResponse, Response};

list_query!(AuditQuery {
    /// Only about this member
    member_id,
    /// Only from this time on
    #[param(value_type = Option<String>, format = DateTime)]
    since,
});

/// List what operators did, and who read data of members; the newest first
#[utoipa::path(get, operation_id = "list_audit", path = "/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "a page", body = Page<AuditRow<'static>>)))]
pub(super) async fn list(caller: Caller, ApiQuery(query): ApiQuery<AuditQuery>) -> Result<Response, Problem> {
    let request = query.page::<String>()?;
    let member: Option<MemberId> = id("member_id", query.member_id.as_deref())?;
    let since = query.since.as_deref().map(str::parse::<Time>).transpose();
    let since = since.map_err(|_| bad_request("since must be a time such as 2026-03-01T08:00:00Z"))?;
    let since = since.unwrap_or(Time::UNIX_EPOCH).max(Time::UNIX_EPOCH);
    let before = request.after.as_deref();
    let records = caller.store.audit(member.as_ref(), since, before, request.fetch()).await?;
    let page = request.page(&records, |record| record.id.clone(), AuditRow::from);
    caller.record_read("audit", member.as_ref(), page.items.len()).await?;
    Ok(page.into_response())
}
