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
//! A row whose records are being deleted does what a DELETED one does, whatever its status: it lingers until that is
//! done, and nobody needs to repair it.
//!
//! A *resumed* lapse is one that was open before: it keeps its `opened_at`, and with it its place in the
//! cadence. While it is only suspected again it keeps its `outcome` and `closed_at` too, so that forgetting
//! the suspicion makes it what it was.
//!
//! A lapse that the member *dismissed* stays closed, and no new one begins, until the connection is CONNECTED
//! again. That is written into the lapse, whose outcome becomes recovered: no later answer needs to know how
//! it once ended. A member who reconnects after all opens it again, which no answer decides.

pub use crate::domain::{Change, ChangeReason as Reason, Decision, Known, LapseChange, Standing};
use crate::domain::{Connection, ConnectionId, LapseState, Listing, Status, SyncStatus, Time};
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

/// Decides what one clear answer about one member means. `listing` is the whole list, in any order.
pub fn decide(known: &[Known], listing: &Listing, policy: &Policy, now: Time) -> Decision {
    let seen = &listing.rows;
    let known: BTreeMap<_, _> = known.iter().map(|known| (&known.connection_id, known)).collect();
    let leaving: BTreeSet<_> = seen.iter().filter(|row| is_leaving(row)).map(|row| &row.id).collect();
    let seen = statuses(seen);
    let ids: BTreeSet<_> = known.keys().chain(seen.keys()).copied().collect();
    let mut decision = Decision::default();
    for id in ids {
        let known = known.get(id).copied();
        let change = match seen.get(id) {
            Some(None) => None,
            Some(&status) => change(id, known, status, leaving.contains(id), policy, now),
            None => change(id, known, None, true, policy, now),
        };
        if leaves_suspicion(known, change.as_ref()) {
            decision.look_again_at = now.checked_add_signed(policy.look_again);
        }
        decision.changes.extend(change);
    }
    decision
}

fn is_leaving(row: &Connection) -> bool {
    matches!(row.sync_status, Some(SyncStatus::Deleting | SyncStatus::DataDeleted))
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

/// `seen` is `None` for a row that is missing. One that is `leaving` needs nobody, whatever its status.
fn change(
    id: &ConnectionId,
    known: Option<&Known>,
    seen: Option<&Status>,
    leaving: bool,
    policy: &Policy,
    now: Time,
) -> Option<Change> {
    let status = seen.unwrap_or(&Status::Deleted);
    let last = known.and_then(|known| known.status.as_ref());
    let transition = (last != Some(status)).then(|| (last.cloned(), status.clone()));
    let lapse = known.and_then(|known| known.lapse.as_ref());
    let (lapse, lapse_reason) =
        lapses::change(lapse, if leaving { &Status::Deleted } else { status }, policy, now);
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

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod world;
