use super::time::{optional_time, time};
use crate::domain::{ConnectionId, HoldId, HoldKind, HoldState, MemberId, Status};
use crate::store::HoldRecord;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct HoldRow<'a> {
    #[schema(value_type = String)]
    pub(crate) hold_id: &'a HoldId,
    pub(crate) kind: &'static str,
    pub(crate) state: &'static str,
    #[schema(value_type = Option<String>)]
    pub(crate) source: Option<&'a ConnectionId>,
    #[schema(value_type = Option<String>)]
    pub(crate) member_id: Option<&'a MemberId>,
    pub(crate) status: Option<&'a str>,
    #[schema(format = DateTime)]
    pub(crate) since: String,
    #[schema(format = DateTime)]
    pub(crate) until: Option<String>,
    #[schema(format = DateTime)]
    pub(crate) ended_at: Option<String>,
    pub(crate) reason: &'a str,
    pub(crate) lapsed: u64,
    pub(crate) connections: u64,
    pub(crate) notices: u64,
    pub(crate) would_email: u64,
    /// Of a storm: how long the emails take that go out by themselves when it is over.
    pub(crate) drip_minutes: Option<u64>,
}

impl<'a> HoldRow<'a> {
    pub(crate) fn new(hold: &'a HoldRecord, drip_per_minute: u32) -> Self {
        Self {
            hold_id: &hold.id,
            kind: hold.kind.as_str(),
            state: hold.state.as_str(),
            source: hold.scope.source.as_ref(),
            member_id: hold.scope.member_id.as_ref(),
            status: hold.scope.status.as_ref().map(Status::as_str),
            since: time(hold.since),
            until: optional_time(hold.until),
            ended_at: optional_time(hold.ended_at),
            reason: &hold.reason,
            lapsed: hold.lapsed,
            connections: hold.connections,
            notices: hold.notices,
            would_email: hold.would_email,
            drip_minutes: drip_minutes(hold, drip_per_minute),
        }
    }
}

/// How long the emails of a storm take that go out by themselves when it is over. `None` for any other hold.
pub(crate) fn drip_minutes(hold: &HoldRecord, drip_per_minute: u32) -> Option<u64> {
    let drips = hold.kind == HoldKind::Storm && hold.state != HoldState::Ended;
    drips.then(|| hold.would_email.div_ceil(u64::from(drip_per_minute).max(1)))
}

#[derive(Serialize)]
pub(crate) struct TakenHoldRow<'a> {
    pub(crate) hold_id: &'a HoldId,
    pub(crate) taken: bool,
    /// The hold in its place.
    pub(crate) hold: Option<HoldRow<'a>>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReleasedHoldRow<'a> {
    #[schema(value_type = String)]
    pub(crate) hold_id: &'a HoldId,
    pub(crate) released: bool,
    pub(crate) notices: u64,
}
