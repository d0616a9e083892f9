//! Detects steps of the wall clock, for example when a machine gets its time from the network, or when an operator sets it.

use crate::domain::Time;
use chrono::TimeDelta;
use std::time::Duration;

/// A slewed clock drifts less than this between two steps of the loop.
const STEP: TimeDelta = TimeDelta::minutes(1);

/// Compares the wall clock with the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockWatch {
    wall: Time,
    monotonic: Duration,
}

impl ClockWatch {
    pub(super) fn new(wall: Time, monotonic: Duration) -> Self {
        Self { wall, monotonic }
    }

    /// How far the wall clock was set forward since the last call; negative if it was set back.
    pub(super) fn step(&mut self, wall: Time, monotonic: Duration) -> Option<TimeDelta> {
        let passed = TimeDelta::from_std(monotonic.saturating_sub(self.monotonic)).unwrap_or(TimeDelta::MAX);
        let step = (wall - self.wall) - passed;
        *self = Self { wall, monotonic };
        (step.abs() >= STEP).then_some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_departs_from_the_monotonic_clock_was_set() {
        let start: Time = "2026-03-02T09:00:00Z".parse().unwrap();
        let cases = [
            ("both clocks advance", 5_000, None),
            ("slewed slightly", 5_900, None),
            ("set forward by an hour", 3_605_000, Some(TimeDelta::hours(1))),
            ("set back by a day", 5_000 - 86_400_000, Some(TimeDelta::days(-1))),
        ];
        for (sentence, wall, expected) in cases {
            let mut watch = ClockWatch::new(start, Duration::from_secs(100));
            let now = start + TimeDelta::milliseconds(wall);
            assert_eq!(watch.step(now, Duration::from_secs(105)), expected, "{sentence}");
            let later = now + TimeDelta::seconds(5);
            assert_eq!(watch.step(later, Duration::from_secs(110)), None, "{sentence}: once");
        }
    }
}
