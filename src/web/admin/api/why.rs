//! What was decided about a member.

use super::caller::Caller;
use super::extract::{ApiQuery, Id};
use super::failure::not_found;
use super::members::no_such_member;
use super::page::{Page, list_query};
use super::parameters::id;
use crate::domain::{ConnectionId, MemberId};
use crate::explain::{Explained, Explanation};
use crate::rows::WhyRow;
use crate::web::problem::Problem;
use axum::response::{IntoResponse, Response};

/// Older decisions are not shown.
const MAX_ENTRIES: u32 = 10_000;

list_query!(WhyQuery {
    /// Only about this connection
    connection_id,
});

/// List what was decided about a member
///
/// Each decision, email, and change, oldest first, with its reason code and a sentence.
#[utoipa::path(get, operation_id = "explain_member", path = "/members/{id}/why", tag = "members",
    params(("id" = String, Path, description = "member id"), WhyQuery),
    responses((status = 200, description = "a page", body = Page<WhyRow<'static>>),
        (status = 404, response = super::document::NotFound)))]
pub(super) async fn list(
    caller: Caller,
    Id(member): Id<MemberId>,
    ApiQuery(query): ApiQuery<WhyQuery>,
) -> Result<Response, Problem> {
    // The time of the last decision, and how many of that time were shown.
    let request = query.page::<(i64, usize)>()?;
    let connection: Option<ConnectionId> = id("connection_id", query.connection_id.as_deref())?;
    let decisions = match caller.explainer.why(&member, connection.as_ref(), MAX_ENTRIES).await? {
        Explanation::Found { decisions, .. } => decisions,
        Explanation::NoSuchMember => return Err(no_such_member()),
        Explanation::NoSuchConnection => return Err(not_found("the member has no such connection")),
    };
    let numbered = numbered(&decisions);
    let begin = request.after.map_or(0, |after| numbered.partition_point(|(key, _)| *key <= after));
    let page = request.page(&numbered[begin..], |(key, _)| *key, |(_, decision)| WhyRow::from(*decision));
    caller.record_read("why", Some(&member), page.items.len()).await?;
    Ok(page.into_response())
}

/// Each decision with its time and its number among those of that time.
fn numbered(decisions: &[Explained]) -> Vec<((i64, usize), &Explained)> {
    let mut numbered: Vec<((i64, usize), &Explained)> = Vec::with_capacity(decisions.len());
    for decision in decisions {
        let at = decision.at.timestamp_millis();
        let before = numbered.last().filter(|((last, _), _)| *last == at);
        numbered.push(((at, before.map_or(0, |((_, number), _)| number + 1)), decision));
    }
    numbered
}
