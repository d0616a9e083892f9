//! What is known of a member's connections, and what an answer of the gateway's changes about it.

use super::{ConnectionId, Lapse, LapseId, LapseState, Outcome, Status, Time};

/// One connection of a member, as it was last recorded.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which connection.
    pub connection_id: ConnectionId,
    /// The last recorded status: DELETED when it vanished, `None` when the gateway never gave one.
    pub status: Option<Status>,
    /// The newest lapse, live or closed.
    pub lapse: Option<Lapse>,
}

/// What to write down about one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// At most one for each connection, ordered by connection id.
    pub changes: Vec<Change>,
    /// When to ask again, if a suspicion is left open.
    pub look_again_at: Option<Time>,
}

/// What to write down about one connection: a transition, a change of its lapse, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which connection.
    pub connection_id: ConnectionId,
    /// From the last recorded status (`None` at first sight) to the new one.
    pub transition: Option<(Option<Status>, Status)>,
    /// What becomes of the lapse.
    pub lapse: LapseChange,
    /// Why.
    pub reason: ChangeReason,
}

/// What becomes of a connection's lapse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LapseChange {
    /// It stays as it is.
    Keep,
    /// A new one begins.
    Begin(Standing),
    /// The newest one stands otherwise now.
    Update(LapseId, Standing),
    /// The newest one was a suspicion that never became more: delete it.
    Forget(LapseId),
}

/// All of a lapse that can change, as it is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// See [`Lapse::state`].
    pub state: LapseState,
    /// See [`Lapse::outcome`]; a resumed suspicion keeps it until it is confirmed.
    pub outcome: Option<Outcome>,
    /// See [`Lapse::suspected_at`].
    pub suspected_at: Time,
    /// See [`Lapse::sightings`].
    pub sightings: u32,
    /// See [`Lapse::opened_at`].
    pub opened_at: Option<Time>,
    /// See [`Lapse::closed_at`]; a resumed suspicion keeps it until it is confirmed.
    pub closed_at: Option<Time>,
}

impl Standing {
    /// As the lapse stands.
    pub fn of(lapse: &Lapse) -> Self {
        Self {
            state: lapse.state,
            outcome: lapse.outcome,
            suspected_at: lapse.suspected_at,
            sightings: lapse.sightings,
            opened_at: lapse.opened_at,
            closed_at: lapse.closed_at,
        }
    }

    /// Closed because it is on purpose: the connection's newest lapse, or one that begins with that.
    pub fn dismissed(newest: Option<&Lapse>, now: Time) -> Self {
        let begun = Self {
            state: LapseState::Closed,
            outcome: None,
            suspected_at: now,
            sightings: 0,
            opened_at: None,
            closed_at: None,
        };
        let standing = newest.map_or(begun, Self::of);
        Self {
            state: LapseState::Closed,
            outcome: Some(Outcome::Dismissed),
            closed_at: Some(now),
            ..standing
        }
    }
}

impl Decision {
    /// Keeps a dismissal of this connection's, although the answer calls it CONNECTED: right after an act of ours a
    /// list may not have caught up with it.
    pub fn keep_dismissed(&mut self, id: &ConnectionId) {
        for change in self.changes.iter_mut().filter(|change| change.connection_id == *id) {
            if change.reason == ChangeReason::DismissalEnded {
                change.lapse = LapseChange::Keep;
                change.reason = ChangeReason::StatusChanged;
            }
        }
        self.changes.retain(|change| change.transition.is_some() || change.lapse != LapseChange::Keep);
    }
}

/// Why something is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeReason {
    /// The connection was not known before.
    FirstSight,
    /// The status is another one, and no lapse is touched by it.
    StatusChanged,
    /// The status is one that this version does not know.
    UnknownStatus,
    /// Broken, for the first time.
    Suspected,
    /// Broken, soon after a lapse had ended: that lapse may go on.
    Resumed,
    /// Broken again, and not often or long enough yet.
    StillSuspected,
    /// Broken often and long enough: the lapse is open.
    Confirmed,
    /// Broken, and the member said that it is on purpose.
    DismissedBefore,
    /// CONNECTED: what the member said is on purpose has been undone.
    DismissalEnded,
    /// CONNECTED: the lapse is over.
    Recovered,
    /// Not broken any more before it was confirmed.
    SuspicionCleared,
    /// DELETED, says the gateway.
    Deleted,
    /// Missing from the list, which means deleted and not repaired.
    Vanished,
}

impl ChangeReason {
    /// The stable code, for reports and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstSight => "first_sight",
            Self::StatusChanged => "status_changed",
            Self::UnknownStatus => "unknown_status",
            Self::Suspected => "suspected",
            Self::Resumed => "resumed",
            Self::StillSuspected => "still_suspected",
            Self::Confirmed => "confirmed",
            Self::DismissedBefore => "dismissed_before",
            Self::DismissalEnded => "dismissal_ended",
            Self::Recovered => "recovered",
            Self::SuspicionCleared => "suspicion_cleared",
            Self::Deleted => "deleted",
            Self::Vanished => "vanished",
        }
    }
}
