//! The table at the head of [`super`].

use super::{LapseChange, Policy, Reason, Standing};
use crate::domain::{Lapse, LapseState, Outcome, Status, Time};

/// What `status` does to the connection's newest lapse, and the reason where it is the lapse that gives one.
pub(super) fn change(
    lapse: Option<&Lapse>,
    status: &Status,
    policy: &Policy,
    now: Time,
) -> (LapseChange, Option<Reason>) {
    let keep = (LapseChange::Keep, None);
    if status.is_broken() {
        return broken(lapse, policy, now);
    }
    let Some(lapse) = lapse else { return keep };
    match (status, lapse.state) {
        (Status::Connected, LapseState::Open) => {
            (close(lapse, Outcome::Recovered, now), Some(Reason::Recovered))
        }
        (Status::Connected, LapseState::Closed) if is_dismissed(lapse) => {
            (close(lapse, Outcome::Recovered, now), Some(Reason::DismissalEnded))
        }
        (Status::Connected | Status::Error | Status::AccessEnded, LapseState::Suspected) => {
            (forget(lapse), Some(Reason::SuspicionCleared))
        }
        (Status::Deleted, LapseState::Suspected) if lapse.opened_at.is_none() => {
            (forget(lapse), Some(Reason::Deleted))
        }
        (Status::Deleted, LapseState::Suspected | LapseState::Open) => {
            (close(lapse, Outcome::Removed, now), Some(Reason::Deleted))
        }
        _ => keep,
    }
}

fn broken(lapse: Option<&Lapse>, policy: &Policy, now: Time) -> (LapseChange, Option<Reason>) {
    let (id, suspicion, reason) = match lapse {
        Some(lapse) if lapse.state == LapseState::Open => return (LapseChange::Keep, None),
        Some(lapse) if lapse.state == LapseState::Suspected => {
            let sightings = lapse.sightings.saturating_add(1);
            (Some(&lapse.id), Standing { sightings, ..Standing::of(lapse) }, Reason::StillSuspected)
        }
        Some(lapse) if is_dismissed(lapse) => return (LapseChange::Keep, Some(Reason::DismissedBefore)),
        Some(lapse) if lapse.closed_at.is_some_and(|closed| now - closed < policy.flap_window) => {
            let first = Standing::suspicion(now);
            let Standing { outcome, opened_at, closed_at, .. } = Standing::of(lapse);
            (Some(&lapse.id), Standing { outcome, opened_at, closed_at, ..first }, Reason::Resumed)
        }
        _ => (None, Standing::suspicion(now), Reason::Suspected),
    };
    let confirmed =
        suspicion.sightings >= policy.confirm_sweeps && now - suspicion.suspected_at >= policy.confirm_after;
    let (standing, reason) =
        if confirmed { (suspicion.confirmed(now), Reason::Confirmed) } else { (suspicion, reason) };
    let change = match id {
        Some(id) => LapseChange::Update(id.clone(), standing),
        None => LapseChange::Begin(standing),
    };
    (change, Some(reason))
}

fn close(lapse: &Lapse, outcome: Outcome, now: Time) -> LapseChange {
    let closed = Standing {
        state: LapseState::Closed,
        outcome: Some(outcome),
        closed_at: Some(now),
        ..Standing::of(lapse)
    };
    LapseChange::Update(lapse.id.clone(), closed)
}

fn forget(lapse: &Lapse) -> LapseChange {
    if lapse.opened_at.is_none() {
        LapseChange::Forget(lapse.id.clone())
    } else {
        LapseChange::Update(lapse.id.clone(), Standing { state: LapseState::Closed, ..Standing::of(lapse) })
    }
}

fn is_dismissed(lapse: &Lapse) -> bool {
    lapse.state == LapseState::Closed && lapse.outcome == Some(Outcome::Dismissed)
}

impl Standing {
    fn suspicion(now: Time) -> Self {
        Self {
            state: LapseState::Suspected,
            outcome: None,
            suspected_at: now,
            sightings: 1,
            opened_at: None,
            closed_at: None,
        }
    }

    fn confirmed(self, now: Time) -> Self {
        Self {
            state: LapseState::Open,
            outcome: None,
            opened_at: self.opened_at.or(Some(now)),
            closed_at: None,
            ..self
        }
    }
}
