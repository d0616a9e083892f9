//! The only reader of the system clock, and a manual one for tests.

use crate::domain::Time;
use chrono::{DurationRound, TimeDelta, Utc};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the monotonic time of this process begins.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Tells the time, in whole milliseconds, as the database keeps it.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// One that stands still until it is moved.
    Manual(ManualClock),
}

/// A clock that is moved by hand.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    wall: Time,
    monotonic: Duration,
    slept: Duration,
}

impl Clock {
    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn now(&self) -> Time {
        match self {
            Self::System => {
                let now = Utc::now();
                now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now)
            }
            Self::Manual(clock) => clock.now(),
        }
    }

    /// The time passed since some instant of this process. Unlike [`Clock::now`] it never jumps or goes back, so waits
    /// that live in memory are measured by it.
    pub(crate) fn monotonic(&self) -> Duration {
        match self {
            Self::System => ORIGIN.elapsed(),
            Self::Manual(clock) => clock.hands(|hands| hands.monotonic),
        }
    }

    /// Waits for `duration`. A manual clock adds it to the time slept and returns at once; the time stands still.
    pub(crate) async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(clock) => {
                clock.hands(|hands| hands.slept += duration);
                tokio::task::yield_now().await;
            }
        }
    }
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Time) -> Self {
        Self(Arc::new(Mutex::new(Hands { wall: start, monotonic: Duration::ZERO, slept: Duration::ZERO })))
    }

    /// What it shows.
    pub fn now(&self) -> Time {
        self.hands(|hands| hands.wall)
    }

    /// Lets time pass. A negative time is a clock that is set back: no time passes.
    pub fn advance(&self, by: TimeDelta) {
        self.hands(|hands| {
            hands.wall += by;
            hands.monotonic += by.to_std().unwrap_or_default();
        });
    }

    /// Sets what it shows, as a time server does: no time passes.
    #[cfg(test)]
    pub(crate) fn set(&self, to: Time) {
        self.hands(|hands| hands.wall = to);
    }

    /// The sum of all waits in [`Clock::sleep`].
    #[cfg(test)]
    pub(crate) fn slept(&self) -> Duration {
        self.hands(|hands| hands.slept)
    }

    fn hands<T>(&self, act: impl FnOnce(&mut Hands) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
