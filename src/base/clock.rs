//! The only reader of the system clock, and a manual one for tests.

use crate::domain::Time;
use chrono::{TimeDelta, Utc};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The start of this process's monotonic time.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// By how much a clock may be corrected without any effect.
const SMALL_CORRECTION: TimeDelta = TimeDelta::minutes(1);

/// The current time in whole milliseconds, the precision of the database.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    Manual(ManualClock),
}

/// A clock that changes only when a test advances or sets it.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Readings>>);

#[derive(Debug)]
struct Readings {
    wall: Time,
    monotonic: Duration,
    slept: Duration,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the only reader of the system clock")]
    pub fn now(&self) -> Time {
        match self {
            Self::System => {
                let now = Utc::now();
                Time::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
            }
            Self::Manual(clock) => clock.now(),
        }
    }

    pub(crate) fn is_system(&self) -> bool {
        matches!(self, Self::System)
    }

    /// The time since some instant of this process. Unlike [`Clock::now`], it never jumps or goes back, so it measures
    /// delays that are kept in memory.
    pub(crate) fn monotonic(&self) -> Duration {
        match self {
            Self::System => ORIGIN.elapsed(),
            Self::Manual(clock) => clock.with_readings(|readings| readings.monotonic),
        }
    }

    /// Waits for `duration`. A manual clock adds it to the time slept and returns at once; the time stands still.
    pub(crate) async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(clock) => {
                clock.with_readings(|readings| readings.slept += duration);
                tokio::task::yield_now().await;
            }
        }
    }
}

impl ManualClock {
    pub fn at(start: Time) -> Self {
        Self(Arc::new(Mutex::new(Readings { wall: start, monotonic: Duration::ZERO, slept: Duration::ZERO })))
    }

    pub fn now(&self) -> Time {
        self.with_readings(|readings| readings.wall)
    }

    /// Moves the wall clock. Monotonic time passes, too, unless `by` is negative.
    pub fn advance(&self, by: TimeDelta) {
        self.with_readings(|readings| {
            readings.wall += by;
            readings.monotonic += by.to_std().unwrap_or_default();
        });
    }

    /// Sets the wall clock as a time server does. No monotonic time passes.
    pub fn set(&self, to: Time) {
        self.with_readings(|readings| readings.wall = to);
    }

    /// The sum of all waits in [`Clock::sleep`].
    #[cfg(test)]
    pub(crate) fn slept(&self) -> Duration {
        self.with_readings(|readings| readings.slept)
    }

    fn with_readings<T>(&self, act: impl FnOnce(&mut Readings) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a time that the clock once showed is less than `age` ago. A time in the future is not, beyond a small correction:
/// the clock was ahead then.
pub(crate) fn is_recent(shown: Time, age: TimeDelta, now: Time) -> bool {
    (-SMALL_CORRECTION..age).contains(&now.signed_duration_since(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_a_clock_showed_while_it_was_ahead_is_not_recent() {
        let (now, age) = (Time::UNIX_EPOCH, TimeDelta::hours(1));
        for (minutes_ago, expected) in
            [(61, false), (60, false), (59, true), (0, true), (-1, true), (-2, false)]
        {
            let shown = now - TimeDelta::minutes(minutes_ago);
            assert_eq!(is_recent(shown, age, now), expected, "{minutes_ago}");
        }
    }
}
