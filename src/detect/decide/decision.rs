use super::lapses;
use super::policy::Policy;
use crate::domain::{
    Change, ChangeReason, ConnectionId, ConnectionState, Decision, DisconnectKind, LapseChange, LapseState,
    Listing, Missing, Status, Time, stored_ids,
};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// One connection in a listing.
struct Sight<'a> {
    /// `None` when the gateway gives none, or two rows contradict each other.
    status: Option<&'a Status>,
    is_being_deleted: bool,
}

/// Decides what one clear response about one member means. `listing` is the whole list, in any order.
pub fn decide(known: &[ConnectionState], listing: &Listing, policy: &Policy, now: Time) -> Decision {
    let sights = sights(known, listing);
    let known: BTreeMap<_, _> = known.iter().map(|known| (&known.connection_id, known)).collect();
    let ids: BTreeSet<_> = known.keys().chain(sights.keys()).copied().collect();
    let is_hidden =
        |id: &ConnectionId| listing.hides_unknown || listing.hidden.iter().any(|hidden| hidden.is_same(id));
    let mut decision = Decision::default();
    for id in ids {
        let known = known.get(id).copied();
        let before = known.and_then(|known| known.missing);
        let (change, missing) = match (sights.get(id), known) {
            (Some(sight), _) => {
                let change = |status| change(id, known, Some(status), sight.is_being_deleted, policy, now);
                (sight.status.and_then(change), None)
            }
            (None, Some(known)) if is_hidden(id) => (None, known.missing),
            (None, Some(known)) => match still_missing(known, policy, now) {
                Some(missing) => (None, Some(missing)),
                None => (change(id, Some(known), None, true, policy, now), None),
            },
            (None, None) => (None, None),
        };
        if missing.is_some() || is_suspected_after(known, change.as_ref()) {
            decision.recheck_at = now.checked_add_signed(policy.recheck_after);
        }
        if missing != before {
            decision.missing.push((id.clone(), missing));
        }
        decision.changes.extend(change);
    }
    decision
}

/// That a row is missing once more; `None` when it is certain that it is gone.
fn still_missing(known: &ConnectionState, policy: &Policy, now: Time) -> Option<Missing> {
    let deleted_by_us =
        known.lapse.as_ref().is_some_and(|lapse| lapse.disconnect_intent == Some(DisconnectKind::Delete));
    if deleted_by_us || known.is_being_deleted || known.status == Some(Status::Deleted) {
        return None;
    }
    let missing = match known.missing {
        None => Missing { since: now, observations: 1 },
        Some(missing) => Missing { observations: missing.observations.saturating_add(1), ..missing },
    };
    (!policy.confirms(missing.observations, missing.since, now)).then_some(missing)
}

/// The observation of each connection, by its stored id.
fn sights<'a>(known: &'a [ConnectionState], listing: &'a Listing) -> BTreeMap<&'a ConnectionId, Sight<'a>> {
    let mut sights = BTreeMap::new();
    for (id, row) in stored_ids(known, &listing.rows).into_iter().zip(&listing.rows) {
        match sights.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(Sight { status: row.status.as_ref(), is_being_deleted: row.is_being_deleted() });
            }
            Entry::Occupied(mut entry) => {
                let sight = entry.get_mut();
                sight.is_being_deleted |= row.is_being_deleted();
                if sight.status != row.status.as_ref() {
                    sight.status = None;
                }
            }
        }
    }
    sights
}

/// `seen` is `None` for a missing row. A row that is `leaving` needs no repair, whatever its status.
fn change(
    id: &ConnectionId,
    known: Option<&ConnectionState>,
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
    if transition.is_none() && lapse == LapseChange::Unchanged {
        return None;
    }
    let reason = match (lapse_reason, status) {
        _ if seen.is_none() => ChangeReason::MissingFromList,
        (Some(reason), _) => reason,
        (None, _) if last.is_none() => ChangeReason::FirstSeen,
        (None, Status::Deleted) => ChangeReason::Deleted,
        (None, Status::Unknown(_)) => ChangeReason::UnknownStatus,
        (None, _) => ChangeReason::StatusChanged,
    };
    Some(Change { connection_id: id.clone(), transition, lapse, reason })
}

fn is_suspected_after(known: Option<&ConnectionState>, change: Option<&Change>) -> bool {
    let state = match change.map(|change| &change.lapse) {
        None | Some(LapseChange::Unchanged) => {
            known.and_then(|known| known.lapse.as_ref()).map(|lapse| lapse.state)
        }
        Some(LapseChange::Insert(standing) | LapseChange::Update(_, standing)) => Some(standing.state),
        Some(LapseChange::Delete(_)) => None,
    };
    state == Some(LapseState::Suspected)
}
