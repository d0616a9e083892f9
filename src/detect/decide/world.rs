//! The state that tests apply decisions to: one member's connections, lapses, and transitions, as the store would
//! keep them.

use super::{Policy, decide};
use crate::domain::{Change, ConnectionState, Decision, LapseChange, LapseFields, Missing};
use crate::domain::{
    Connection, ConnectionId, DisconnectKind, Lapse, LapseId, LapseState, Listing, Outcome, Source, Status,
    Time,
};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct World {
    pub(super) now: Time,
    pub(super) policy: Policy,
    pub(super) statuses: BTreeMap<ConnectionId, Status>,
    /// Oldest first.
    pub(super) lapses: Vec<Lapse>,
    pub(super) missing: BTreeMap<ConnectionId, Missing>,
    leaving: BTreeSet<ConnectionId>,
    pub(super) transitions: Vec<(ConnectionId, Option<Status>, Status)>,
    ids: u32,
}

impl World {
    pub(super) fn new(policy: Policy) -> Self {
        let (statuses, lapses, missing, leaving, transitions) = Default::default();
        Self { now: Time::UNIX_EPOCH, policy, statuses, lapses, missing, leaving, transitions, ids: 0 }
    }

    pub(super) fn known(&self) -> Vec<ConnectionState> {
        let known = |(id, status): (&ConnectionId, &Status)| ConnectionState {
            connection_id: id.clone(),
            status: Some(status.clone()),
            lapse: self.lapses.iter().rfind(|lapse| lapse.connection_id == *id).cloned(),
            is_being_deleted: self.leaving.contains(id),
            missing: self.missing.get(id).copied(),
        };
        self.statuses.iter().map(known).collect()
    }

    pub(super) fn decide(&self, seen: &[Connection]) -> Decision {
        self.decide_on(&seen.to_vec().into())
    }

    pub(super) fn decide_on(&self, listing: &Listing) -> Decision {
        decide(&self.known(), listing, &self.policy, self.now)
    }

    /// Decides about a response and records the decision.
    pub(super) fn answer(&mut self, seen: &[Connection]) -> Decision {
        self.answer_with(&seen.to_vec().into())
    }

    pub(super) fn answer_with(&mut self, listing: &Listing) -> Decision {
        let decision = self.decide_on(listing);
        for row in &listing.rows {
            match row.is_being_deleted() {
                true => self.leaving.insert(row.id.clone()),
                false => self.leaving.remove(&row.id),
            };
        }
        for change in &decision.changes {
            self.apply(change);
        }
        for (id, missing) in &decision.missing {
            match missing {
                Some(missing) => self.missing.insert(id.clone(), *missing),
                None => self.missing.remove(id),
            };
        }
        decision
    }

    fn apply(&mut self, change: &Change) {
        let id = &change.connection_id;
        if let Some((from, to)) = &change.transition {
            self.transitions.push((id.clone(), from.clone(), to.clone()));
            self.statuses.insert(id.clone(), to.clone());
        }
        match &change.lapse {
            LapseChange::Unchanged => {}
            LapseChange::Insert(standing) => {
                self.ids += 1;
                let lapse_id = LapseId::new(self.ids.to_string());
                self.lapses.push(row(lapse_id, id.clone(), *standing));
            }
            LapseChange::Update(lapse_id, standing) => {
                let lapse = self.lapses.iter_mut().find(|lapse| lapse.id == *lapse_id).unwrap();
                *lapse = row(lapse_id.clone(), id.clone(), *standing);
            }
            LapseChange::Delete(lapse_id) => self.lapses.retain(|lapse| lapse.id != *lapse_id),
        }
    }

    /// An operator disconnects or deletes the connection.
    pub(super) fn part(&mut self, id: &str, disconnect_intent: DisconnectKind) {
        let newest = self.lapses.iter().rposition(|lapse| lapse.connection_id.as_str() == id);
        let standing = LapseFields::dismissed(newest.map(|at| &self.lapses[at]), disconnect_intent, self.now);
        self.ids += 1;
        let lapse_id = newest.map_or(LapseId::new(self.ids.to_string()), |at| self.lapses[at].id.clone());
        let lapse = row(lapse_id, id.into(), standing);
        match newest {
            Some(at) => self.lapses[at] = lapse,
            None => self.lapses.push(lapse),
        }
    }

    /// The member says that every open lapse is on purpose.
    pub(super) fn dismiss(&mut self) {
        for lapse in self.lapses.iter_mut().filter(|lapse| lapse.state == LapseState::Open) {
            lapse.state = LapseState::Closed;
            lapse.outcome = Some(Outcome::Dismissed);
            lapse.closed_at = Some(self.now);
        }
    }
}

fn row(id: LapseId, connection_id: ConnectionId, standing: LapseFields) -> Lapse {
    let LapseFields {
        state,
        outcome,
        suspected_at,
        consecutive_observations,
        opened_at,
        closed_at,
        disconnect_intent,
    } = standing;
    let member_id = "alice".into();
    Lapse {
        id,
        member_id,
        connection_id,
        state,
        outcome,
        suspected_at,
        consecutive_observations,
        opened_at,
        closed_at,
        disconnect_intent,
    }
}

pub(super) fn policy() -> Policy {
    Policy {
        confirm_sweeps: 2,
        confirm_after: TimeDelta::zero(),
        flap_window: TimeDelta::days(7),
        recheck_after: TimeDelta::minutes(30),
    }
}

pub(super) fn connection(id: &str, status: Option<&str>) -> Connection {
    Connection {
        id: id.into(),
        source: Source { name: id.to_owned(), ..Source::default() },
        status: status.map(Status::from),
        sync_status: None,
        sync_errors: Vec::new(),
        last_synced: None,
    }
}
