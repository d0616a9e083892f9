//! The table at the head of [`super`].

use super::{LapseChange, Policy, Reason, Standing};
use crate::domain::{Lapse, LapseState, Outcome, Status, Time};
use chrono::TimeDelta;

/// How long a list that still says CONNECTED after an operator's act counts as late. After that the act has had no effect
/// (we may not know whether it was carried out), and its dismissal must not silence the connection's next break.
const LIST_LAGS_AT_MOST: TimeDelta = TimeDelta::hours(24);

/// What `status` does to the connection's newest lapse, and the reason where it is the lapse that gives one.
pub(super) fn change(
    lapse: Option<&Lapse>,
    status: &Status,
    policy: &Policy,
    now: Time,
) -> (LapseChange, Option<Reason>) {
    let keep = (LapseChange::Keep, None);
    if let Some(lapse) = lapse.filter(|lapse| lapse.parting.is_some() && is_dismissed(lapse)) {
        return parted(lapse, status, now);
    }
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

/// After an operator's act, CONNECTED ends the dismissal only when the list has shown the act's effect before.
fn parted(lapse: &Lapse, status: &Status, now: Time) -> (LapseChange, Option<Reason>) {
    if *status != Status::Connected {
        let shown = Standing { parting: None, ..Standing::of(lapse) };
        return (LapseChange::Update(lapse.id.clone(), shown), Some(Reason::PartingShown));
    }
    let is_late = lapse.closed_at.is_some_and(|closed| now - closed < LIST_LAGS_AT_MOST);
    if is_late {
        (LapseChange::Keep, None)
    } else {
        (close(lapse, Outcome::Recovered, now), Some(Reason::DismissalEnded))
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
    let confirmed = policy.confirms(suspicion.sightings, suspicion.suspected_at, now);
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
        parting: None,
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
            parting: None,
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
