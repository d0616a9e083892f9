//! Orders not to send email.

use super::caller::Caller;
use super::extract::{ApiJson, ApiQuery, Id};
use super::failure::{not_found, unprocessable};
use super::page::{Page, list_query};
use crate::domain::{ConnectionId, HoldId, HoldScope, MemberId, Status, Time};
use crate::rows::{HoldRow, ReleasedHoldRow};
use crate::store::{HoldRecord, NewHold, Release};
use crate::web::problem::Problem;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

/// In bytes. People read it in a list.
const MAX_REASON: usize = 1000;

list_query!(HoldsQuery {});

/// List holds, the newest first
#[utoipa::path(get, operation_id = "list_holds", path = "/holds", tag = "holds", params(HoldsQuery),
    responses((status = 200, description = "a page", body = Page<HoldRow<'static>>)))]
pub(super) async fn list(caller: Caller, ApiQuery(query): ApiQuery<HoldsQuery>) -> Result<Response, Problem> {
    let request = query.page::<(i64, String)>()?;
    let invalid = || super::failure::bad_request("after must be the `next` of a page of this list");
    let after = request.after.as_ref();
    let after = after.map(|(since, id)| {
        let since = Time::from_timestamp_millis(*since).ok_or_else(invalid)?;
        Ok::<_, Problem>((since, HoldId::from(id.as_str())))
    });
    let after = after.transpose()?;
    let after = after.as_ref().map(|(since, id)| (*since, id));
    let holds = caller.store.holds_before(after, request.fetch()).await?;
    let page = request.page(
        &holds,
        |hold| (hold.since.timestamp_millis(), hold.id.as_str().to_owned()),
        |hold| HoldRow::new(hold, caller.drip_per_minute),
    );
    Ok(page.into_response())
}

/// Statuses about which members are emailed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum HeldStatus {
    Expired,
    Disconnected,
}

/// Send no email about what meets every condition given, or none at all without conditions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "source": "epic", "until": "2030-03-01T08:00:00Z", "reason": "maintenance at the source" }))]
pub(super) struct HoldBody {
    /// Only about this data source.
    #[schema(min_length = 1)]
    source: Option<String>,
    /// Only to this member.
    #[schema(min_length = 1)]
    member_id: Option<String>,
    /// Only about connections with this status.
    status: Option<HeldStatus>,
    /// Until when; until its release without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    /// Why, for those who read the list.
    #[schema(max_length = 1000)]
    reason: String,
}

impl HoldBody {
    fn check(self, now: Time) -> Result<NewHold, Problem> {
        let texts = [self.source.as_deref(), self.member_id.as_deref(), Some(&self.reason)];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(unprocessable("a text must not contain a NUL character"));
        }
        let is_blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
        if is_blank(&self.source) || is_blank(&self.member_id) {
            return Err(unprocessable("source and member_id must not be empty; leave them out instead"));
        }
        if self.reason.len() > MAX_REASON {
            return Err(unprocessable(format!("reason must be at most {MAX_REASON} bytes")));
        }
        if self.until.is_some_and(|until| until <= now) {
            return Err(unprocessable("until is over"));
        }
        let scope = HoldScope {
            source: self.source.map(ConnectionId::new),
            member_id: self.member_id.map(MemberId::new),
            status: self.status.map(|status| match status {
                HeldStatus::Expired => Status::Expired,
                HeldStatus::Disconnected => Status::Disconnected,
            }),
        };
        Ok(NewHold { scope, until: self.until, reason: self.reason })
    }
}

/// Add a hold
#[utoipa::path(post, operation_id = "add_hold", path = "/holds", tag = "holds", request_body = HoldBody,
    responses((status = 201, description = "added", body = HoldRow<'static>),
        (status = 413, response = super::document::TooLarge), (status = 415, response = super::document::WrongType),
        (status = 422, response = super::document::Invalid)))]
pub(super) async fn add(caller: Caller, ApiJson(body): ApiJson<HoldBody>) -> Result<Response, Problem> {
    let now = caller.clock.now();
    let hold = caller.store.add_hold(&body.check(now)?, now).await?;
    let hold: HoldRecord = hold.ok_or_else(|| unprocessable("member_id names no member"))?;
    Ok((StatusCode::CREATED, Json(HoldRow::new(&hold, caller.drip_per_minute))).into_response())
}

/// Release a hold
///
/// What it held goes out at once, unless another hold covers it.
#[utoipa::path(delete, operation_id = "release_hold", path = "/holds/{id}", tag = "holds", params(("id" = String, Path, description = "hold id")),
    responses((status = 200, description = "`released` is false if it had ended", body = ReleasedHoldRow<'static>),
        (status = 404, response = super::document::NotFound)))]
pub(super) async fn release(caller: Caller, Id(id): Id<HoldId>) -> Result<Response, Problem> {
    let (released, notices) = match caller.store.release_hold(&id, caller.clock.now()).await? {
        Release::Unknown => return Err(not_found("there is no such hold")),
        Release::HadEnded => (false, 0),
        Release::Released(notices) => (true, notices),
    };
    Ok(Json(ReleasedHoldRow { hold_id: &id, released, notices }).into_response())
}
