//! Addresses that must not receive email. A response names the members who have the address, and never shows the address.

use super::caller::Caller;
use super::extract::{ApiJson, ApiQuery};
use super::failure::{bad_request, conflict, unprocessable};
use super::page::{Page, list_query};
use crate::domain::{AddressHash, EmailAddress, MemberId, Suppression, Time};
use crate::rows::{RemovedSuppressionRow, SuppressionRow};
use crate::store::{ListedSuppression, StoreError};
use crate::web::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

list_query!(SuppressionsQuery {});

/// List suppressions, oldest first
#[utoipa::path(get, operation_id = "list_suppressions", path = "/suppressions", tag = "suppressions", params(SuppressionsQuery),
    responses((status = 200, description = "a page", body = Page<SuppressionRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<SuppressionsQuery>,
) -> Result<Response, Problem> {
    // The time of the last one, and how many of that time were shown: the hash of an address would identify it.
    let request = query.page::<(i64, u16)>()?;
    let (after, shown) = match request.after {
        None => (None, 0),
        Some((at, shown)) => {
            let at = Time::from_timestamp_millis(at);
            let at = at.ok_or_else(|| bad_request("after must be the `next` of a page of this list"))?;
            (Some(ListedSuppression::before_all_at(at)), shown)
        }
    };
    let limit = request.fetch() + u32::from(shown);
    let mut listed = caller.store.suppressions(None, after.as_ref(), limit).await?;
    listed.drain(..listed.len().min(usize::from(shown)));
    let numbered = numbered(&listed, request.after);
    let page = request.page(&numbered, |(key, _)| *key, |(_, listed)| SuppressionRow::from(*listed));
    caller.record_read("suppressions", None, page.items.len()).await?;
    Ok(page.into_response())
}

/// Each suppression with its time, and how many of that time come up to it.
fn numbered(
    listed: &[ListedSuppression],
    mut last: Option<(i64, u16)>,
) -> Vec<((i64, u16), &ListedSuppression)> {
    let number = |listed: &ListedSuppression| {
        let at = listed.created_at.timestamp_millis();
        let before = last.filter(|(last, _)| *last == at).map_or(0, |(_, shown)| shown);
        *last.insert((at, before.saturating_add(1)))
    };
    let keys: Vec<_> = listed.iter().map(number).collect();
    keys.into_iter().zip(listed).collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "alice@example.com" }))]
pub(super) struct AddressBody {
    #[schema(format = Email)]
    email: String,
}

impl AddressBody {
    fn hash(&self) -> Result<AddressHash, Problem> {
        let address = self.email.parse::<EmailAddress>();
        Ok(address.map_err(|error| unprocessable(format!("email: {error}")))?.address_hash())
    }
}

/// Suppress an address, and cancel its queued notices
#[utoipa::path(put, operation_id = "suppress", path = "/suppressions", tag = "suppressions", request_body = AddressBody,
    responses((status = 200, description = "suppressed", body = SuppressionRow<'static>),
        (status = 409, response = super::document::Conflict), (status = 413, response = super::document::TooLarge),
        (status = 415, response = super::document::WrongType), (status = 422, response = super::document::Invalid)))]
pub(super) async fn add(caller: Caller, ApiJson(body): ApiJson<AddressBody>) -> Result<Response, Problem> {
    let address = body.hash()?;
    caller.store.suppress(address, Suppression::Operator, caller.clock.now()).await?;
    let listed = suppressions_of(&caller, address).await?;
    // The member can have unsubscribed, too. That is another suppression.
    let by_operator = listed.iter().find(|listed| listed.reason == Suppression::Operator);
    let listed = by_operator.ok_or_else(|| conflict("the suppression was removed at the same time"))?;
    Ok(Json(SuppressionRow::from(listed)).into_response())
}

/// Allow email to an address again, even if its member unsubscribed
#[utoipa::path(delete, operation_id = "unsuppress", path = "/suppressions", tag = "suppressions", request_body = AddressBody,
    responses((status = 200, description = "`removed` is false if it was not suppressed",
            body = RemovedSuppressionRow<'static>),
        (status = 413, response = super::document::TooLarge), (status = 415, response = super::document::WrongType),
        (status = 422, response = super::document::Invalid)))]
pub(super) async fn remove(caller: Caller, ApiJson(body): ApiJson<AddressBody>) -> Result<Response, Problem> {
    let address = body.hash()?;
    let listed = suppressions_of(&caller, address).await?;
    let removed = caller.store.unsuppress(address, caller.clock.now()).await?;
    let members = listed.first().map(|listed| &listed.members[..]).unwrap_or_default();
    let member_ids = members.iter().map(MemberId::as_str).collect();
    Ok(Json(RemovedSuppressionRow { member_ids, removed }).into_response())
}

/// An address has one for each reason at most.
async fn suppressions_of(
    caller: &Caller,
    address: AddressHash,
) -> Result<Vec<ListedSuppression>, StoreError> {
    caller.store.suppressions(Some(address), None, 100).await
}
