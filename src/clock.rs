//! The only reader of the system clock, and a manual one for tests.

use crate::domain::Time;
use chrono::{DurationRound, TimeDelta, Utc};
use std::sync::{Arc, Mutex, PoisonError};

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
pub struct ManualClock(Arc<Mutex<Time>>);

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
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Time) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// What it shows.
    pub fn now(&self) -> Time {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it on.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}
