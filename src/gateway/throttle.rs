//! The wait that all clones of the client share. One throttled caller waits alone. Several in a row, with no response to
//! anyone in between, mean that the gateway throttles everyone. They must outnumber the calls in flight, because a
//! rejection arrives sooner than a response.

use super::jwt;
use crate::base::retry_after::MAX_RETRY_AFTER;
use crate::domain::Time;
use chrono::TimeDelta;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The number of throttled callers in a row that starts the wait, while there were hardly any responses.
const MIN_THROTTLED_CALLERS: usize = 3;
/// The number after other callers got responses. If a third of the fleet is throttled, three in a row soon happen by
/// chance.
const MAX_THROTTLED_CALLERS: usize = 8;
/// The wait when the gateway does not send `Retry-After`.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// A hash that identifies the caller. Two JWTs of one member are the same caller.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller(u64);

impl Caller {
    /// Takes a token, a subject, or a member's id.
    pub(super) fn new(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        match jwt::subject(text) {
            Some(subject) => subject.hash(&mut hasher),
            None => text.hash(&mut hasher),
        }
        Self(hasher.finish())
    }
}

#[derive(Default)]
pub(super) struct SharedWait(Mutex<State>);

#[derive(Default)]
struct State {
    /// The callers throttled since the operation's last response to anyone. By operation, because each may have its own
    /// quota.
    callers: Vec<(&'static str, Caller)>,
    /// Responses so far, at most [`MAX_THROTTLED_CALLERS`].
    responses: usize,
    /// The longest `Retry-After` of these callers.
    asked: Option<Duration>,
    wait: Option<Wait>,
}

#[derive(Clone, Copy)]
struct Wait {
    until: Time,
    /// The most that can be left. A clock that is set back does not make the wait longer.
    left: Duration,
}

impl SharedWait {
    pub(super) fn remaining(&self, now: Time) -> Option<Duration> {
        self.state().remaining(now)
    }

    /// Whether no wait has started, or the last one was found over: then the time need not be read.
    pub(super) fn is_over(&self) -> bool {
        self.state().wait.is_none()
    }

    /// Records a throttled caller, with the number of calls in flight. Returns whether everyone waits now.
    pub(super) fn record_throttled(
        &self,
        operation: &'static str,
        caller: Caller,
        retry_after: Option<Duration>,
        in_flight: usize,
        now: Time,
    ) -> bool {
        let mut state = self.state();
        let left = state.remaining(now);
        if let Some(left) = left {
            // The request was sent before the wait started.
            let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
            if asked > left {
                state.start(asked, now);
            }
            return true;
        }
        if !state.callers.contains(&(operation, caller)) {
            state.callers.push((operation, caller));
        }
        let in_a_row = state.callers.iter().filter(|(at, _)| *at == operation).count();
        state.asked = state.asked.max(retry_after);
        if in_a_row < MIN_THROTTLED_CALLERS.max(state.responses).max(in_flight) {
            return false;
        }
        let asked = state.asked.unwrap_or(DEFAULT_WAIT).min(MAX_RETRY_AFTER);
        state.reset();
        state.start(asked, now);
        tracing::warn!(
            event = "gateway_throttles", wait = ?asked,
            "gateway throttles everyone; pausing all calls"
        );
        true
    }

    /// Records a response to any caller.
    pub(super) fn record_response(&self, operation: &'static str) {
        let mut state = self.state();
        state.responses = (state.responses + 1).min(MAX_THROTTLED_CALLERS);
        state.callers.retain(|(at, _)| *at != operation);
        if state.callers.is_empty() {
            state.asked = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn start(&mut self, left: Duration, now: Time) {
        let until = now + TimeDelta::from_std(left).unwrap_or_default();
        self.wait = Some(Wait { until, left });
    }

    fn reset(&mut self) {
        self.callers.clear();
        self.asked = None;
    }

    fn remaining(&mut self, now: Time) -> Option<Duration> {
        let Wait { until, left } = self.wait?;
        let by_clock = (until - now).to_std().unwrap_or_default();
        if by_clock.is_zero() {
            self.wait = None;
            return None;
        }
        if by_clock > left {
            self.start(left, now);
        } else {
            self.wait = Some(Wait { until, left: by_clock });
        }
        Some(by_clock.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "2026-03-01T12:00:00Z";
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minutes: i64) -> Time {
        START.parse::<Time>().unwrap() + TimeDelta::minutes(minutes)
    }

    /// Throttles these callers in turn; `-` is a response to another caller. Returns whether everyone waits at the end.
    fn everyone_waits_after(callers: &str) -> bool {
        let wait = SharedWait::default();
        for caller in callers.split(' ') {
            match caller {
                "-" => wait.record_response("list"),
                caller => drop(wait.record_throttled("list", Caller::new(caller), Some(MINUTE), 0, at(0))),
            }
        }
        wait.remaining(at(0)).is_some()
    }

    #[test]
    fn everyone_waits_when_three_callers_in_a_row_are_throttled() {
        for (callers, everyone) in [
            ("a", false),
            ("a a a a", false),
            ("a b", false),
            ("a b a b", false),
            ("a b c", true),
            ("a a b b c", true),
            ("a b - c", false),
            ("a - b - c - d", false),
            ("a b - c d e", true),
            ("- - - - - - - - - - a b c d e f g", false),
            ("- - - - - - - - - - a b c d e f g h", true),
        ] {
            assert_eq!(everyone_waits_after(callers), everyone, "{callers}");
        }
    }

    #[test]
    fn throttled_callers_must_outnumber_the_calls_in_flight() {
        let wait = SharedWait::default();
        for caller in ["a", "b", "c", "d", "e"] {
            assert!(!wait.record_throttled("list", Caller::new(caller), Some(MINUTE), 6, at(0)), "{caller}");
        }
        assert!(wait.record_throttled("list", Caller::new("f"), Some(MINUTE), 6, at(0)));
    }

    #[test]
    fn a_response_to_another_operation_proves_nothing_about_this_one() {
        let wait = SharedWait::default();
        for caller in ["a", "b", "c"] {
            wait.record_throttled("list", Caller::new(caller), Some(MINUTE), 0, at(0));
            wait.record_response("refresh");
        }
        assert!(wait.remaining(at(0)).is_some());
    }

    #[test]
    fn two_tokens_of_one_member_are_one_caller() {
        // {"sub":"alice"} and {"sub":"alice","n":2}
        let tokens = ["e30.eyJzdWIiOiJhbGljZSJ9.c2ln", "e30.eyJzdWIiOiJhbGljZSIsIm4iOjJ9.c2ln"];
        assert!(Caller::new(tokens[0]) == Caller::new(tokens[1]));
        assert!(Caller::new("a") != Caller::new("b"));
    }

    fn waiting(asked: Option<Duration>) -> SharedWait {
        let wait = SharedWait::default();
        for caller in ["a", "b", "c"] {
            wait.record_throttled("list", Caller::new(caller), asked, 0, at(0));
        }
        wait
    }

    #[test]
    fn the_wait_is_as_long_as_the_gateway_asks_and_at_most_an_hour() {
        for (asked, expected) in
            [(None, DEFAULT_WAIT), (Some(5 * MINUTE), 5 * MINUTE), (Some(24 * 60 * MINUTE), 60 * MINUTE)]
        {
            assert_eq!(waiting(asked).remaining(at(0)), Some(expected), "{asked:?}");
        }
        assert_eq!(waiting(Some(Duration::ZERO)).remaining(at(0)), None);
    }

    #[test]
    fn the_wait_ends_by_the_clock_and_a_clock_jump_does_not_lengthen_it() {
        let wait = waiting(Some(5 * MINUTE));
        assert_eq!(wait.remaining(at(2)), Some(3 * MINUTE));
        assert_eq!(wait.remaining(at(-600)), Some(3 * MINUTE), "set back by ten hours");
        assert_eq!(wait.remaining(at(-598)), Some(MINUTE));
        assert_eq!(wait.remaining(at(-597)), None);
        assert_eq!(waiting(Some(5 * MINUTE)).remaining(at(600)), None, "set ahead");
    }

    #[test]
    fn a_call_in_flight_can_lengthen_the_wait_but_not_start_another() {
        let wait = waiting(Some(5 * MINUTE));
        assert!(wait.record_throttled("list", Caller::new("d"), Some(10 * MINUTE), 0, at(1)));
        assert!(wait.record_throttled("list", Caller::new("e"), None, 0, at(1)));
        assert_eq!(wait.remaining(at(1)), Some(10 * MINUTE));
        assert!(!wait.record_throttled("list", Caller::new("f"), None, 0, at(11)), "counting starts over");
        let day = Some(24 * 60 * MINUTE);
        let wait = waiting(Some(5 * MINUTE));
        assert!(wait.record_throttled("list", Caller::new("d"), day, 0, at(1)));
        assert_eq!(wait.remaining(at(1)), Some(60 * MINUTE), "nor to more than an hour");
    }
}
