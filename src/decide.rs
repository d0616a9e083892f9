//! What an answer of the gateway means: known + seen + policy + now → [`Decision`]. Pure.
//!
//! Each status, and a row that is missing, does one thing to the connection's lapse:
//!
//! | seen | no live lapse | suspected | open |
//! | --- | --- | --- | --- |
//! | EXPIRED, DISCONNECTED | suspect, or resume a lapse just closed | count; open once confirmed | – |
//! | CONNECTED | end a dismissal | forget | close, recovered |
//! | ERROR, ACCESS_ENDED | – | forget | – |
//! | DELETED, missing | – | forget; one that was resumed: close, removed | close, removed |
//! | a status we do not know, none | – | – | – |
//!
//! A *resumed* lapse is one that was open before: it keeps its `opened_at`, and with it its place in the
//! cadence. While it is only suspected again it keeps its `outcome` and `closed_at` too, so that forgetting
//! the suspicion makes it what it was.
//!
//! A lapse that the member *dismissed* stays closed, and no new one begins, until the connection is CONNECTED
//! again. That is written into the lapse, whose outcome becomes recovered: no later answer needs to know how
//! it once ended.

use crate::domain::{Connection, ConnectionId, Lapse, LapseId, LapseState, Outcome, Status, Time};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

mod lapses;

/// When a suspicion becomes a lapse.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Answers in a row that must show a connection broken. 0 means the same as 1.
    pub confirm_sweeps: u32,
    /// And for at least this long.
    pub confirm_after: TimeDelta,
    /// How soon after its end a lapse is resumed rather than a new one begun.
    pub flap_window: TimeDelta,
    /// How long after an answer that leaves a suspicion open the member is asked again.
    pub look_again: TimeDelta,
}

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
    pub reason: Reason,
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

/// Why something is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
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

/// Decides what one clear answer about one member means. `seen` is the whole list, in any order.
pub fn decide(known: &[Known], seen: &[Connection], policy: &Policy, now: Time) -> Decision {
    let known: BTreeMap<_, _> = known.iter().map(|known| (&known.connection_id, known)).collect();
    let seen = statuses(seen);
    let ids: BTreeSet<_> = known.keys().chain(seen.keys()).copied().collect();
    let mut decision = Decision::default();
    for id in ids {
        let known = known.get(id).copied();
        let change = match seen.get(id) {
            Some(None) => None,
            Some(&status) => change(id, known, status, policy, now),
            None => change(id, known, None, policy, now),
        };
        if leaves_suspicion(known, change.as_ref()) {
            decision.look_again_at = now.checked_add_signed(policy.look_again);
        }
        decision.changes.extend(change);
    }
    decision
}

/// What the answer says of each connection. Two rows that contradict each other say nothing.
fn statuses(seen: &[Connection]) -> BTreeMap<&ConnectionId, Option<&Status>> {
    let mut statuses = BTreeMap::new();
    for connection in seen {
        match statuses.entry(&connection.id) {
            Entry::Vacant(entry) => {
                entry.insert(connection.status.as_ref());
            }
            Entry::Occupied(mut entry) if *entry.get() != connection.status.as_ref() => {
                entry.insert(None);
            }
            Entry::Occupied(_) => {}
        }
    }
    statuses
}

/// `seen` is `None` for a row that is missing.
fn change(
    id: &ConnectionId,
    known: Option<&Known>,
    seen: Option<&Status>,
    policy: &Policy,
    now: Time,
) -> Option<Change> {
    let status = seen.unwrap_or(&Status::Deleted);
    let last = known.and_then(|known| known.status.as_ref());
    let transition = (last != Some(status)).then(|| (last.cloned(), status.clone()));
    let lapse = known.and_then(|known| known.lapse.as_ref());
    let (lapse, lapse_reason) = lapses::change(lapse, status, policy, now);
    if transition.is_none() && lapse == LapseChange::Keep {
        return None;
    }
    let reason = match (lapse_reason, status) {
        _ if seen.is_none() => Reason::Vanished,
        (Some(reason), _) => reason,
        (None, _) if last.is_none() => Reason::FirstSight,
        (None, Status::Deleted) => Reason::Deleted,
        (None, Status::Unknown(_)) => Reason::UnknownStatus,
        (None, _) => Reason::StatusChanged,
    };
    Some(Change { connection_id: id.clone(), transition, lapse, reason })
}

fn leaves_suspicion(known: Option<&Known>, change: Option<&Change>) -> bool {
    let state = match change.map(|change| &change.lapse) {
        None | Some(LapseChange::Keep) => {
            known.and_then(|known| known.lapse.as_ref()).map(|lapse| lapse.state)
        }
        Some(LapseChange::Begin(standing) | LapseChange::Update(_, standing)) => Some(standing.state),
        Some(LapseChange::Forget(_)) => None,
    };
    state == Some(LapseState::Suspected)
}

impl Reason {
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

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod world;
