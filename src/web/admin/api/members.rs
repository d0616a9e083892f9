//! Members: the list, and one by one.

use super::caller::Caller;
use super::extract::{ApiQuery, Id};
use super::failure::not_found;
use super::page::{Page, list_query};
use super::parameters::flag;
use crate::domain::MemberId;
use crate::rows::MemberRow;
use crate::web::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};

list_query!(MembersQuery {
    /// `true`: only unpaused members without a usable response for 24 hours, or with an open lapse about which they get
    /// no more email
    #[param(value_type = Option<bool>)]
    unreachable,
});

/// List members
///
/// In the order of their ids. No row has an email address.
#[utoipa::path(get, operation_id = "list_members", path = "/members", tag = "members", params(MembersQuery),
    responses((status = 200, description = "a page", body = Page<MemberRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<MembersQuery>,
) -> Result<Response, Problem> {
    let request = query.page::<String>()?;
    let is_filtered = flag("unreachable", query.unreachable.as_deref())?;
    let since = is_filtered.then(|| caller.fleet.unreachable_since());
    let after = request.after.as_deref().map(MemberId::from);
    let rules = caller.fleet.credential_rules().await?;
    let listed = caller.store.list_members(None, after.as_ref(), request.fetch(), &rules, since).await?;
    let page = request.page(
        &listed,
        |listed| listed.member.id.as_str().to_owned(),
        |listed| if is_filtered { MemberRow::of_unreachable(listed) } else { MemberRow::from(listed) },
    );
    caller.record_read("members", None, page.items.len()).await?;
    Ok(page.into_response())
}

/// Show one member
#[utoipa::path(get, operation_id = "show_member", path = "/members/{id}", tag = "members", params(("id" = String, Path, description = "member id")),
    responses((status = 200, description = "the member", body = MemberRow<'static>),
        (status = 404, response = super::document::NotFound)))]
pub(super) async fn show(caller: Caller, Id(id): Id<MemberId>) -> Result<Response, Problem> {
    let rules = caller.fleet.credential_rules().await?;
    let listed = caller.store.list_members(Some(&id), None, 1, &rules, None).await?;
    let listed = listed.first().ok_or_else(no_such_member)?;
    caller.record_read("members", Some(&id), 1).await?;
    Ok(Json(MemberRow::from(listed)).into_response())
}

pub(super) fn no_such_member() -> Problem {
    not_found("there is no such member")
}
