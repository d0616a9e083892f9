//! What is known of a member's connections, and what an answer of the gateway's changes about it.

use super::{
    Connection, ConnectionId, DisconnectKind, Lapse, LapseId, LapseState, Listing, Outcome, Status, Time,
};
use std::collections::BTreeMap;

/// One connection of a member, as it was last recorded.
#[derive(Clone, Debug)]
pub struct ConnectionState {
    /// Which connection.
    pub(crate) connection_id: ConnectionId,
    /// The last recorded status: DELETED when it missing_from_list, `None` when the gateway never gave one.
    pub(crate) status: Option<Status>,
    /// Whether the gateway was deleting its records when it last listed it.
    pub(crate) is_being_deleted: bool,
    /// The newest lapse, live or closed.
    pub(crate) lapse: Option<Lapse>,
    /// That the last responses left it out, while this is not confirmed.
    pub(crate) missing: Option<Missing>,
}

/// A row that the list leaves out. It counts as DELETED only when this is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// When a response first left it out.
    pub(crate) since: Time,
    /// How many responses in a row have left it out.
    pub(crate) observations: u32,
}

/// The stored id of each row, in the order of `rows`. An id that differs from a known one only in case is the known one;
/// among new ones, the first spelling counts.
pub fn stored_ids<'a>(known: &'a [ConnectionState], rows: &'a [Connection]) -> Vec<&'a ConnectionId> {
    let mut ids: BTreeMap<String, (&ConnectionId, bool)> = BTreeMap::new();
    for known in known {
        // An earlier version stored each spelling as its own connection: the one that is not DELETED goes on.
        let is_live = known.status != Some(Status::Deleted);
        let entry = ids.entry(known.connection_id.folded()).or_insert((&known.connection_id, is_live));
        if is_live && !entry.1 {
            *entry = (&known.connection_id, true);
        }
    }
    rows.iter().map(|row| ids.entry(row.id.folded()).or_insert((&row.id, true)).0).collect()
}

/// Whether every row has disappeared at once. That is more often the gateway's mistake than the member's doing.
pub fn turned_empty(known: &[ConnectionState], listing: &Listing) -> bool {
    let is_empty = listing.rows.is_empty() && listing.hidden.is_empty() && !listing.hides_unknown;
    is_empty && known.iter().any(|known| known.status != Some(Status::Deleted))
}

/// What to write down about one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// At most one for each connection, ordered by connection id.
    pub(crate) changes: Vec<Change>,
    /// What becomes known of missing rows: how long they have been missing, or `None` when they no longer are.
    pub(crate) missing: Vec<(ConnectionId, Option<Missing>)>,
    /// When to ask again, if a suspicion is left open or a row is missing.
    pub(crate) recheck_at: Option<Time>,
}

/// What to write down about one connection: a transition, a change of its lapse, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which connection.
    pub(crate) connection_id: ConnectionId,
    /// From the last recorded status (`None` at first sight) to the new one.
    pub(crate) transition: Option<(Option<Status>, Status)>,
    /// What becomes of the lapse.
    pub(crate) lapse: LapseChange,
    /// Why.
    pub(crate) reason: ChangeReason,
}

/// What becomes of a connection's lapse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LapseChange {
    /// It stays as it is.
    Unchanged,
    /// A new one begins.
    Insert(LapseFields),
    /// The newest one stands otherwise now.
    Update(LapseId, LapseFields),
    /// The newest one was a suspicion that never became more: delete it.
    Delete(LapseId),
}

/// All of a lapse that can change, as it is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LapseFields {
    /// See [`Lapse::state`].
    pub(crate) state: LapseState,
    /// See [`Lapse::outcome`]; a resumed suspicion keeps it until it is confirmed.
    pub(crate) outcome: Option<Outcome>,
    /// See [`Lapse::suspected_at`].
    pub(crate) suspected_at: Time,
    /// See [`Lapse::consecutive_observations`].
    pub(crate) consecutive_observations: u32,
    /// See [`Lapse::opened_at`].
    pub(crate) opened_at: Option<Time>,
    /// See [`Lapse::closed_at`]; a resumed suspicion keeps it until it is confirmed.
    pub(crate) closed_at: Option<Time>,
    /// See [`Lapse::disconnect_intent`].
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
    /// Closed because an operator's act is on purpose: the connection's newest lapse, or one that begins with that.
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

/// Why something is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeReason {
    /// The connection was not known before.
    FirstSeen,
    /// The status is another one, and no lapse is touched by it.
    StatusChanged,
    /// The status is one that this version does not know.
    UnknownStatus,
    /// Broken, for the first time.
    Suspected,
    /// Broken, soon after a lapse had ended: that lapse may go on.
    Resumed,
    /// Broken again, and not often or long enough yet.
    Unconfirmed,
    /// Broken often and long enough: the lapse is open.
    Confirmed,
    /// Broken, and the member said that it is on purpose.
    PreviouslyDismissed,
    /// CONNECTED: what the member said is on purpose has been undone.
    DismissalEnded,
    /// CONNECTED: the lapse is over.
    Recovered,
    /// Not broken any more before it was confirmed.
    SuspicionCleared,
    /// DELETED, says the gateway.
    Deleted,
    /// Missing from the list often and long enough: deleted, not repaired.
    MissingFromList,
    /// The gateway's list has shown the effect of an operator's act.
    DisconnectObserved,
}

impl ChangeReason {
    /// The stable code, for reports and the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::FirstSeen => "first_seen",
            Self::StatusChanged => "status_changed",
            Self::UnknownStatus => "unknown_status",
            Self::Suspected => "suspected",
            Self::Resumed => "resumed",
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::PreviouslyDismissed => "previously_dismissed",
            Self::DismissalEnded => "dismissal_ended",
            Self::Recovered => "recovered",
            Self::SuspicionCleared => "suspicion_cleared",
            Self::Deleted => "deleted",
            Self::MissingFromList => "missing_from_list",
            Self::DisconnectObserved => "disconnect_observed",
        }
    }
}
