use crate::domain::{Cause, ConnectionId, Listing, MemberId, Outcome, Status, Time};
use chrono::TimeDelta;

/// A usable response of the gateway about one member.
#[derive(Clone, Debug)]
pub struct PollResult<'a> {
    pub member_id: &'a MemberId,
    /// The time of the request. A response to an older request than the last one applied is dropped.
    pub asked_at: Time,
    pub cause: Cause,
    pub seen: &'a Listing,
    pub digest: &'a [u8],
    /// Whether to apply a list that became empty.
    pub accept_empty: bool,
}

/// The result of applying a response.
#[derive(Clone, Debug, Default)]
pub struct ApplyReport {
    pub transitions: Vec<(Option<Status>, Status)>,
    /// The lapses that opened, or were resumed.
    pub(crate) opened_lapses: u64,
    /// The open lapses that ended, each with the time since the first observation of its break.
    pub(crate) closed_lapses: Vec<(Outcome, TimeDelta)>,
    /// The connections whose records belong to another person, if the previous response did not say so.
    pub(crate) mismatched: Vec<ConnectionId>,
    /// Whether the response was dropped: it came too late, or the member was removed.
    pub stale: bool,
    /// Whether the list became empty; see [`PollResult::accept_empty`].
    pub turned_empty: bool,
}
