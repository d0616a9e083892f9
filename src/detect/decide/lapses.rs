//! Implements the table in [`super`]'s documentation.

use super::policy::Policy;
use crate::domain::{ChangeReason, Lapse, LapseChange, LapseFields, LapseState, Outcome, Status, Time};
use chrono::TimeDelta;

/// How long a list may still say CONNECTED after an operator's command. Later, the command had no effect, and its dismissal
/// must not suppress notices about the connection's next break.
const LIST_LAGS_AT_MOST: TimeDelta = TimeDelta::hours(24);

/// The effect of `status` on the connection's newest lapse, and the reason if the lapse determines it.
pub(super) fn change(
    lapse: Option<&Lapse>,
    status: &Status,
    policy: &Policy,
    now: Time,
) -> (LapseChange, Option<ChangeReason>) {
    let keep = (LapseChange::Unchanged, None);
    if let Some(lapse) = lapse.filter(|lapse| lapse.disconnect_intent.is_some() && is_dismissed(lapse)) {
        return parted(lapse, status, now);
    }
    if status.is_broken() {
        return broken(lapse, policy, now);
    }
    let Some(lapse) = lapse else { return keep };
    match (status, lapse.state) {
        (Status::Connected, LapseState::Open) => {
            (close(lapse, Outcome::Recovered, now), Some(ChangeReason::Recovered))
        }
        (Status::Connected, LapseState::Closed) if is_dismissed(lapse) => {
            (close(lapse, Outcome::Recovered, now), Some(ChangeReason::DismissalEnded))
        }
        (Status::Connected | Status::Error | Status::AccessEnded, LapseState::Suspected) => {
            (forget(lapse), Some(ChangeReason::SuspicionCleared))
        }
        (Status::Deleted, LapseState::Suspected) if lapse.opened_at.is_none() => {
            (forget(lapse), Some(ChangeReason::Deleted))
        }
        (Status::Deleted, LapseState::Suspected | LapseState::Open) => {
            (close(lapse, Outcome::Removed, now), Some(ChangeReason::Deleted))
        }
        _ => keep,
    }
}

/// After an operator's act, CONNECTED ends the dismissal only when the list has shown the act's effect before.
fn parted(lapse: &Lapse, status: &Status, now: Time) -> (LapseChange, Option<ChangeReason>) {
    if *status != Status::Connected {
        let shown = LapseFields { disconnect_intent: None, ..LapseFields::from(lapse) };
        return (LapseChange::Update(lapse.id.clone(), shown), Some(ChangeReason::DisconnectObserved));
    }
    let is_late = lapse.closed_at.is_some_and(|closed| now - closed < LIST_LAGS_AT_MOST);
    if is_late {
        (LapseChange::Unchanged, None)
    } else {
        (close(lapse, Outcome::Recovered, now), Some(ChangeReason::DismissalEnded))
    }
}

fn broken(lapse: Option<&Lapse>, policy: &Policy, now: Time) -> (LapseChange, Option<ChangeReason>) {
    let (id, suspicion, reason) = match lapse {
        Some(lapse) if lapse.state == LapseState::Open => return (LapseChange::Unchanged, None),
        Some(lapse) if lapse.state == LapseState::Suspected => {
            let consecutive_observations = lapse.consecutive_observations.saturating_add(1);
            (
                Some(&lapse.id),
                LapseFields { consecutive_observations, ..LapseFields::from(lapse) },
                ChangeReason::Unconfirmed,
            )
        }
        Some(lapse) if is_dismissed(lapse) => {
            return (LapseChange::Unchanged, Some(ChangeReason::PreviouslyDismissed));
        }
        Some(lapse) if lapse.closed_at.is_some_and(|closed| now - closed < policy.flap_window) => {
            let first = LapseFields::suspicion(now);
            let LapseFields { outcome, opened_at, closed_at, .. } = LapseFields::from(lapse);
            (Some(&lapse.id), LapseFields { outcome, opened_at, closed_at, ..first }, ChangeReason::Resumed)
        }
        _ => (None, LapseFields::suspicion(now), ChangeReason::Suspected),
    };
    let confirmed = policy.confirms(suspicion.consecutive_observations, suspicion.suspected_at, now);
    let (standing, reason) =
        if confirmed { (suspicion.confirmed(now), ChangeReason::Confirmed) } else { (suspicion, reason) };
    let change = match id {
        Some(id) => LapseChange::Update(id.clone(), standing),
        None => LapseChange::Insert(standing),
    };
    (change, Some(reason))
}

fn close(lapse: &Lapse, outcome: Outcome, now: Time) -> LapseChange {
    let closed = LapseFields {
        state: LapseState::Closed,
        outcome: Some(outcome),
        closed_at: Some(now),
        disconnect_intent: None,
        ..LapseFields::from(lapse)
    };
    LapseChange::Update(lapse.id.clone(), closed)
}

fn forget(lapse: &Lapse) -> LapseChange {
    if lapse.opened_at.is_none() {
        LapseChange::Delete(lapse.id.clone())
    } else {
        LapseChange::Update(
            lapse.id.clone(),
            LapseFields { state: LapseState::Closed, ..LapseFields::from(lapse) },
        )
    }
}

fn is_dismissed(lapse: &Lapse) -> bool {
    lapse.state == LapseState::Closed && lapse.outcome == Some(Outcome::Dismissed)
}

impl LapseFields {
    fn suspicion(now: Time) -> Self {
        Self {
            state: LapseState::Suspected,
            outcome: None,
            suspected_at: now,
            consecutive_observations: 1,
            opened_at: None,
            closed_at: None,
            disconnect_intent: None,
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
