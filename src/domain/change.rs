//! The known state of a member's connections, and the changes that a response makes.

use super::{
    Connection, ConnectionId, DisconnectKind, Lapse, LapseId, LapseState, Listing, Outcome, Status, Time,
    text_enum::string_enum,
};
use std::collections::BTreeMap;

/// A connection as it was last recorded.
#[derive(Clone, Debug)]
pub struct ConnectionState {
    pub connection_id: ConnectionId,
    /// DELETED for a row that is confirmed to be missing; `None` when the gateway never reported a status.
    pub status: Option<Status>,
    /// Whether the gateway was deleting the records when it last listed the row.
    pub is_being_deleted: bool,
    /// The newest lapse, live or closed.
    pub lapse: Option<Lapse>,
    /// `Some` while the last responses left the row out and this is not confirmed.
    pub missing: Option<Missing>,
}

/// A row that the list left out. It counts as DELETED only when this is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    pub(crate) since: Time,
    /// Consecutive responses without the row.
    pub(crate) observations: u32,
}

/// The stored id of each row, in the order of `rows`. Ids that differ only in case are the same: a known spelling wins,
/// else the first one.
pub fn stored_ids<'a>(known: &'a [ConnectionState], rows: &'a [Connection]) -> Vec<&'a ConnectionId> {
    let mut ids: BTreeMap<String, (&ConnectionId, bool)> = BTreeMap::new();
    for known in known {
        // An earlier version stored each spelling as its own connection. The one that is not DELETED wins.
        let is_live = known.status != Some(Status::Deleted);
        let entry = ids.entry(known.connection_id.folded()).or_insert((&known.connection_id, is_live));
        if is_live && !entry.1 {
            *entry = (&known.connection_id, true);
        }
    }
    rows.iter().map(|row| ids.entry(row.id.folded()).or_insert((&row.id, true)).0).collect()
}

/// Whether all rows disappeared at once. Usually that is the gateway's fault.
pub fn turned_empty(known: &[ConnectionState], listing: &Listing) -> bool {
    let is_empty = listing.rows.is_empty() && listing.hidden.is_empty() && !listing.hides_unknown;
    is_empty && known.iter().any(|known| known.status != Some(Status::Deleted))
}

/// The changes to store for one response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// At most one for each connection, ordered by connection id.
    pub(crate) changes: Vec<Change>,
    /// The new state of missing rows; `None` for rows that returned.
    pub(crate) missing: Vec<(ConnectionId, Option<Missing>)>,
    /// The next early poll, if a lapse is suspected or a row is missing.
    pub(crate) recheck_at: Option<Time>,
}

/// A transition of one connection, a change of its lapse, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub(crate) connection_id: ConnectionId,
    /// From the last recorded status (`None` on first observation) to the new one.
    pub(crate) transition: Option<(Option<Status>, Status)>,
    pub(crate) lapse: LapseChange,
    pub(crate) reason: ChangeReason,
}

/// The change of a connection's newest lapse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LapseChange {
    Unchanged,
    Insert(LapseFields),
    Update(LapseId, LapseFields),
    /// For a suspected lapse that was never confirmed.
    Delete(LapseId),
}

impl LapseChange {
    /// Whether the lapse is open after the change.
    pub(crate) fn is_to_open(&self) -> bool {
        match self {
            Self::Unchanged | Self::Delete(_) => false,
            Self::Insert(fields) | Self::Update(_, fields) => fields.state == LapseState::Open,
        }
    }
}

/// The mutable fields of a lapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LapseFields {
    pub(crate) state: LapseState,
    /// A resumed suspicion keeps it until it is confirmed.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) suspected_at: Time,
    pub(crate) consecutive_observations: u32,
    pub(crate) opened_at: Option<Time>,
    /// A resumed suspicion keeps it until it is confirmed.
    pub(crate) closed_at: Option<Time>,
    pub(crate) disconnect_intent: Option<DisconnectKind>,
}

impl From<&Lapse> for LapseFields {
    fn from(lapse: &Lapse) -> Self {
        Self {
            state: lapse.state,
            outcome: lapse.outcome,
            suspected_at: lapse.suspected_at,
            consecutive_observations: lapse.consecutive_observations,
            opened_at: lapse.opened_at,
            closed_at: lapse.closed_at,
            disconnect_intent: lapse.disconnect_intent,
        }
    }
}

impl LapseFields {
    /// The newest lapse, or a new one, closed because an operator disconnected on purpose.
    pub(crate) fn dismissed(newest: Option<&Lapse>, disconnect_intent: DisconnectKind, now: Time) -> Self {
        let begun = Self {
            state: LapseState::Closed,
            outcome: None,
            suspected_at: now,
            consecutive_observations: 0,
            opened_at: None,
            closed_at: None,
            disconnect_intent: None,
        };
        let fields = newest.map_or(begun, Self::from);
        Self {
            state: LapseState::Closed,
            outcome: Some(Outcome::Dismissed),
            closed_at: Some(now),
            disconnect_intent: Some(disconnect_intent),
            ..fields
        }
    }
}

/// The reason of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeReason {
    FirstSeen,
    /// The status changed without an effect on a lapse.
    StatusChanged,
    /// This version does not know the status.
    UnknownStatus,
    /// First observation of a break.
    Suspected,
    /// A break within `flap_window` of a recovery.
    Resumed,
    /// Another observation, not yet enough.
    Unconfirmed,
    /// Enough observations: the lapse opens.
    Confirmed,
    /// A break that the member dismissed.
    PreviouslyDismissed,
    /// CONNECTED ends a dismissal.
    DismissalEnded,
    /// CONNECTED closes the lapse.
    Recovered,
    /// The break ended before it was confirmed.
    SuspicionCleared,
    /// The gateway reported DELETED.
    Deleted,
    /// The row is confirmed to be missing.
    MissingFromList,
    /// The list shows the effect of an operator's request.
    DisconnectObserved,
}

string_enum!(pub(crate) ChangeReason {
    FirstSeen = "first_seen",
    StatusChanged = "status_changed",
    UnknownStatus = "unknown_status",
    Suspected = "suspected",
    Resumed = "resumed",
    Unconfirmed = "unconfirmed",
    Confirmed = "confirmed",
    PreviouslyDismissed = "previously_dismissed",
    DismissalEnded = "dismissal_ended",
    Recovered = "recovered",
    SuspicionCleared = "suspicion_cleared",
    Deleted = "deleted",
    MissingFromList = "missing_from_list",
    DisconnectObserved = "disconnect_observed",
});
