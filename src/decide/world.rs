//! What the tests apply decisions to: one member's connections, lapses and transitions, as the store would
//! keep them.

use super::{Change, Decision, Known, LapseChange, Policy, Standing, decide};
use crate::domain::{Connection, ConnectionId, Lapse, LapseId, LapseState, Outcome, Status, Time};
use chrono::TimeDelta;
use std::collections::BTreeMap;

pub(super) struct World {
    pub(super) now: Time,
    pub(super) policy: Policy,
    pub(super) statuses: BTreeMap<ConnectionId, Status>,
    /// Oldest first.
    pub(super) lapses: Vec<Lapse>,
    pub(super) transitions: Vec<(ConnectionId, Option<Status>, Status)>,
    ids: u32,
}

impl World {
    pub(super) fn new(policy: Policy) -> Self {
        let (statuses, lapses, transitions) = Default::default();
        Self { now: Time::UNIX_EPOCH, policy, statuses, lapses, transitions, ids: 0 }
    }

    pub(super) fn known(&self) -> Vec<Known> {
        let known = |(id, status): (&ConnectionId, &Status)| Known {
            connection_id: id.clone(),
            status: Some(status.clone()),
            lapse: self.lapses.iter().rfind(|lapse| lapse.connection_id == *id).cloned(),
        };
        self.statuses.iter().map(known).collect()
    }

    pub(super) fn decide(&self, seen: &[Connection]) -> Decision {
        decide(&self.known(), &seen.to_vec().into(), &self.policy, self.now)
    }

    /// Decides about an answer and writes down what was decided.
    pub(super) fn answer(&mut self, seen: &[Connection]) -> Decision {
        let decision = self.decide(seen);
        for change in &decision.changes {
            self.apply(change);
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
            LapseChange::Keep => {}
            LapseChange::Begin(standing) => {
                self.ids += 1;
                let lapse_id = LapseId::new(self.ids.to_string());
                self.lapses.push(row(lapse_id, id.clone(), *standing));
            }
            LapseChange::Update(lapse_id, standing) => {
                let lapse = self.lapses.iter_mut().find(|lapse| lapse.id == *lapse_id).unwrap();
                *lapse = row(lapse_id.clone(), id.clone(), *standing);
            }
            LapseChange::Forget(lapse_id) => self.lapses.retain(|lapse| lapse.id != *lapse_id),
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

fn row(id: LapseId, connection_id: ConnectionId, standing: Standing) -> Lapse {
    let Standing { state, outcome, suspected_at, sightings, opened_at, closed_at } = standing;
    let member_id = "alice".into();
    Lapse { id, member_id, connection_id, state, outcome, suspected_at, sightings, opened_at, closed_at }
}

pub(super) fn policy() -> Policy {
    Policy {
        confirm_sweeps: 2,
        confirm_after: TimeDelta::zero(),
        flap_window: TimeDelta::days(7),
        look_again: TimeDelta::minutes(30),
    }
}

pub(super) fn connection(id: &str, status: Option<&str>) -> Connection {
    Connection {
        id: id.into(),
        name: id.to_owned(),
        category: None,
        source_type: None,
        integration_type: None,
        is_direct: false,
        status: status.map(Status::from),
        sync_status: None,
        sync_errors: Vec::new(),
        last_synced: None,
    }
}
