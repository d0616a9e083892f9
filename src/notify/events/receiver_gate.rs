//! Pauses the outbox while the receiver confirms nothing, so that a receiver that is down gets few requests, and few events
//! use up attempts.

use crate::base::{backoff, random};
use crate::domain::Time;
use chrono::TimeDelta;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One event that the receiver never confirms must not pause the others.
const FAILURES_BEFORE_PAUSE: u32 = 3;

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct ReceiverGate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Since the last confirmation.
    failures: u32,
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Time,
    until: Time,
}

impl Pause {
    /// A time before its start is after it: the clock was set back.
    fn remaining(self, now: Time) -> Option<Duration> {
        (self.since <= now && now < self.until).then(|| (self.until - now).to_std().unwrap_or_default())
    }
}

/// Whether events may be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    All,
    /// One event shows whether the receiver is back.
    Probe,
    Wait(Duration),
}

impl ReceiverGate {
    pub(super) fn enter(&self, now: Time) -> Pass {
        let state = self.lock();
        if let Some(left) = state.pause.and_then(|pause| pause.remaining(now)) {
            return Pass::Wait(left);
        }
        if state.failures >= FAILURES_BEFORE_PAUSE { Pass::Probe } else { Pass::All }
    }

    pub(super) fn confirmed(&self) {
        *self.lock() = State::default();
    }

    /// Returns whether this begins a pause.
    pub(super) fn failed(&self, now: Time, retry_after: Option<Duration>) -> bool {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let Some(probes) = state.failures.checked_sub(FAILURES_BEFORE_PAUSE - 1).filter(|probes| *probes > 0)
        else {
            return false;
        };
        // Others that were under way end within the pause.
        if state.pause.is_none_or(|pause| pause.remaining(now).is_none()) {
            let wait = backoff::receiver_probe_delay(probes, random::jitter());
            let wait = wait.max(retry_after.unwrap_or_default());
            let until = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::minutes(5));
            state.pause = Some(Pause { since: now, until });
        }
        probes == 1
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Time {
        "2026-03-02T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_receiver_that_confirms_nothing_gets_one_event_after_each_pause() {
        let (gate, now) = (ReceiverGate::default(), start());
        for _ in 1..FAILURES_BEFORE_PAUSE {
            assert!(!gate.failed(now, None));
            assert_eq!(gate.enter(now), Pass::All);
        }
        assert!(gate.failed(now, None));
        assert!(matches!(gate.enter(now), Pass::Wait(_)));
        let later = now + TimeDelta::minutes(10);
        assert_eq!(gate.enter(later), Pass::Probe);
        assert!(!gate.failed(later, None), "it is known already");
        assert!(matches!(gate.enter(later), Pass::Wait(_)));
        gate.confirmed();
        assert_eq!(gate.enter(later), Pass::All);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_the_pause() {
        let (gate, now) = (ReceiverGate::default(), start());
        for _ in 0..FAILURES_BEFORE_PAUSE {
            gate.failed(now, None);
        }
        assert!(matches!(gate.enter(now), Pass::Wait(_)));
        assert_eq!(gate.enter(now - TimeDelta::hours(1)), Pass::Probe);
    }

    #[test]
    fn a_receiver_gets_the_pause_that_it_asks_for() {
        let (gate, now) = (ReceiverGate::default(), start());
        for _ in 0..FAILURES_BEFORE_PAUSE {
            gate.failed(now, Some(Duration::from_secs(1_800)));
        }
        assert!(matches!(gate.enter(now + TimeDelta::minutes(29)), Pass::Wait(_)));
        assert_eq!(gate.enter(now + TimeDelta::minutes(30)), Pass::Probe);
    }
}
