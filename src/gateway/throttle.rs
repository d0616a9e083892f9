//! The wait that all clones of the client share. One throttled caller is that caller's own business; several in a row,
//! with no answer to anyone in between, mean that the gateway throttles everyone. So many calls as are still under way
//! must be outnumbered, for a refusal arrives sooner than an answer.

use super::retry::LONGEST;
use crate::domain::Time;
use chrono::TimeDelta;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// So many callers in a row are everyone, where hardly anyone was ever answered.
const SEVERAL: usize = 3;
/// So many are, where others were answered: of a fleet of which a third is throttled, three in a row soon are by chance.
const MANY: usize = 8;
/// The wait when the gateway does not say how long.
const UNTOLD: Duration = Duration::from_secs(30);

/// A digest that identifies the caller. Two tokens of one member are one caller when they are JWTs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller(u64);

impl Caller {
    /// The caller with this token, subject or member id.
    pub(super) fn new(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        match super::tokens::subject(text) {
            Some(subject) => subject.hash(&mut hasher),
            None => text.hash(&mut hasher),
        }
        Self(hasher.finish())
    }
}

/// The shared wait.
#[derive(Default)]
pub(super) struct SharedWait(Mutex<State>);

#[derive(Default)]
struct State {
    /// Those throttled, by operation, since the operation was last answered for anyone: a quota may be one operation's.
    callers: Vec<(&'static str, Caller)>,
    /// Answers so far, at most [`MANY`].
    answers: usize,
    /// The most that any of them was asked to wait.
    asked: Option<Duration>,
    wait: Option<Wait>,
}

#[derive(Clone, Copy)]
struct Wait {
    until: Time,
    /// How much could be left at most. A clock that is set back does not make the wait longer.
    left: Duration,
}

impl SharedWait {
    /// How long everyone has to wait still.
    pub(super) fn remaining(&self, now: Time) -> Option<Duration> {
        self.state().remaining(now)
    }

    /// Notes a caller who is throttled at an operation, while so many other calls are under way. Whether everyone waits now.
    pub(super) fn throttled(
        &self,
        operation: &'static str,
        caller: Caller,
        after: Option<Duration>,
        under_way: usize,
        now: Time,
    ) -> bool {
        let mut state = self.state();
        let left = state.remaining(now);
        if let Some(left) = left {
            // Sent before the wait began.
            let asked = after.unwrap_or_default().min(LONGEST);
            if asked > left {
                state.begin(asked, now);
            }
            return true;
        }
        if !state.callers.contains(&(operation, caller)) {
            state.callers.push((operation, caller));
        }
        let in_a_row = state.callers.iter().filter(|(at, _)| *at == operation).count();
        state.asked = state.asked.max(after);
        if in_a_row < SEVERAL.max(state.answers).max(under_way) {
            return false;
        }
        let asked = state.asked.unwrap_or(UNTOLD).min(LONGEST);
        state.forget();
        state.begin(asked, now);
        tracing::warn!(wait = ?asked, "the gateway throttles everyone; all calls wait");
        true
    }

    /// Notes that the gateway has answered somebody.
    pub(super) fn answered(&self, operation: &'static str) {
        let mut state = self.state();
        state.answers = (state.answers + 1).min(MANY);
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
    fn begin(&mut self, left: Duration, now: Time) {
        let until = now + TimeDelta::from_std(left).unwrap_or_default();
        self.wait = Some(Wait { until, left });
    }

    fn forget(&mut self) {
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
            self.begin(left, now);
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

    /// Throttles these callers in turn; `-` is an answer to somebody. Whether everyone waits in the end.
    fn after(callers: &str) -> bool {
        let wait = SharedWait::default();
        for caller in callers.split(' ') {
            match caller {
                "-" => wait.answered("list"),
                caller => drop(wait.throttled("list", Caller::new(caller), Some(MINUTE), 0, at(0))),
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
            assert_eq!(after(callers), everyone, "{callers}");
        }
    }

    #[test]
    fn calls_that_are_still_under_way_may_be_answered() {
        let wait = SharedWait::default();
        for caller in ["a", "b", "c", "d", "e"] {
            assert!(!wait.throttled("list", Caller::new(caller), Some(MINUTE), 6, at(0)), "{caller}");
        }
        assert!(wait.throttled("list", Caller::new("f"), Some(MINUTE), 6, at(0)));
    }

    #[test]
    fn an_answer_to_another_operation_does_not_show_that_this_one_is_not_throttled() {
        let wait = SharedWait::default();
        for caller in ["a", "b", "c"] {
            wait.throttled("list", Caller::new(caller), Some(MINUTE), 0, at(0));
            wait.answered("refresh");
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
            wait.throttled("list", Caller::new(caller), asked, 0, at(0));
        }
        wait
    }

    #[test]
    fn the_wait_is_what_the_gateway_asks_for_and_at_most_an_hour() {
        for (asked, expected) in
            [(None, UNTOLD), (Some(5 * MINUTE), 5 * MINUTE), (Some(24 * 60 * MINUTE), 60 * MINUTE)]
        {
            assert_eq!(waiting(asked).remaining(at(0)), Some(expected), "{asked:?}");
        }
        assert_eq!(waiting(Some(Duration::ZERO)).remaining(at(0)), None);
    }

    #[test]
    fn the_wait_ends_by_the_clock_and_no_jump_makes_it_longer() {
        let wait = waiting(Some(5 * MINUTE));
        assert_eq!(wait.remaining(at(2)), Some(3 * MINUTE));
        assert_eq!(wait.remaining(at(-600)), Some(3 * MINUTE), "set back by ten hours");
        assert_eq!(wait.remaining(at(-598)), Some(MINUTE));
        assert_eq!(wait.remaining(at(-597)), None);
        assert_eq!(waiting(Some(5 * MINUTE)).remaining(at(600)), None, "set ahead");
    }

    #[test]
    fn a_call_that_was_under_way_lengthens_the_wait_but_does_not_begin_another() {
        let wait = waiting(Some(5 * MINUTE));
        assert!(wait.throttled("list", Caller::new("d"), Some(10 * MINUTE), 0, at(1)));
        assert!(wait.throttled("list", Caller::new("e"), None, 0, at(1)));
        assert_eq!(wait.remaining(at(1)), Some(10 * MINUTE));
        assert!(!wait.throttled("list", Caller::new("f"), None, 0, at(11)), "the count begins anew");
    }
}
