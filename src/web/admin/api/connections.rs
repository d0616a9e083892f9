//! Connections.

use super::caller::Caller;
use super::extract::ApiQuery;
use super::page::{Page, list_query};
use super::parameters::id;
use crate::domain::{ConnectionId, MemberId};
use crate::rows::ConnectionRow;
use crate::web::problem::Problem;
use axum::response::{IntoResponse, Response};

list_query!(ConnectionsQuery {
    /// Only of this member
    member_id,
});

/// List connections
///
/// As last observed, in the order of the members' ids. No request polls the gateway.
#[utoipa::path(get, operation_id = "list_connections", path = "/connections", tag = "connections", params(ConnectionsQuery),
    responses((status = 200, description = "a page", body = Page<ConnectionRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<ConnectionsQuery>,
) -> Result<Response, Problem> {
    let request = query.page::<(String, String)>()?;
    let member: Option<MemberId> = id("member_id", query.member_id.as_deref())?;
    let after = request.after.as_ref();
    let after = after.map(|(member, id)| (MemberId::from(member.as_str()), ConnectionId::from(id.as_str())));
    let after = after.as_ref().map(|(member, id)| (member, id));
    let stored = caller.store.connections(member.as_ref(), after, request.fetch()).await?;
    let page = request.page(
        &stored,
        |stored| (stored.member_id.as_str().to_owned(), stored.connection.id.as_str().to_owned()),
        |stored| ConnectionRow::new(&stored.member_id, &stored.connection),
    );
    caller.record_read("connections", member.as_ref(), page.items.len()).await?;
    Ok(page.into_response())
}
