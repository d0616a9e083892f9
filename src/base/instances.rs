//! What this process knows of the instances that share its database, itself included.

use super::clock::Clock;
use chrono::TimeDelta;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// An instance that has not been seen for this long is presumed dead, and the others take over its work.
pub(crate) const PRESUMED_DEAD_AFTER: Duration = Duration::from_secs(15);
/// An instance presumes so of itself a little earlier.
const PRESUMES_ITSELF_DEAD_AFTER: Duration = Duration::from_secs(12);
/// Clocks that differ by more than this make leases and quiet hours unreliable.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(2);

/// Cheap to clone. Without a heartbeat, this process is the only instance.
#[derive(Clone, Debug)]
pub struct Instances {
    clock: Clock,
    last: Arc<Mutex<Option<Heartbeat>>>,
}

/// What the last heartbeat told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When it was sent, by the monotonic clock.
    pub sent_at: Duration,
    /// The instances that are alive.
    pub live: u32,
    /// How far the database's clock is ahead of this machine's. `None` when both are the same.
    pub clock_difference: Option<TimeDelta>,
    /// Whether others can take over this instance's work.
    pub is_replaceable: bool,
}

/// Why an instance must not send email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The others may have taken over its work.
    PresumedDead,
    ClocksDiffer,
}

impl Obstacle {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::PresumedDead => "instance_presumed_dead",
            Self::ClocksDiffer => "clocks_differ",
        }
    }
}

impl Instances {
    pub fn new(clock: Clock) -> Self {
        Self { clock, last: Arc::default() }
    }

    /// For a process that sends no heartbeats.
    pub fn alone() -> Self {
        Self::new(Clock::System)
    }

    pub fn note(&self, heartbeat: Heartbeat) {
        *self.lock() = Some(heartbeat);
    }

    /// The instances that are alive, at least one.
    pub(crate) fn live(&self) -> u32 {
        self.lock().map_or(1, |last| last.live.max(1))
    }

    /// # Errors
    /// Why this instance must not send email now.
    pub(crate) fn may_send(&self) -> Result<(), Obstacle> {
        let Some(last) = *self.lock() else { return Ok(()) };
        if last.is_replaceable
            && self.clock.monotonic().saturating_sub(last.sent_at) >= PRESUMES_ITSELF_DEAD_AFTER
        {
            return Err(Obstacle::PresumedDead);
        }
        match last.clock_difference {
            Some(difference) if difference.abs() > MAX_CLOCK_DIFFERENCE => Err(Obstacle::ClocksDiffer),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Heartbeat>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::domain::Time;

    fn beat() -> Heartbeat {
        Heartbeat { sent_at: Duration::ZERO, live: 3, clock_difference: None, is_replaceable: true }
    }

    fn after(seconds: i64, heartbeat: Heartbeat) -> (u32, Result<(), Obstacle>) {
        let clock = ManualClock::at(Time::UNIX_EPOCH);
        let instances = Instances::new(Clock::Manual(clock.clone()));
        instances.note(heartbeat);
        clock.advance(TimeDelta::seconds(seconds));
        (instances.live(), instances.may_send())
    }

    #[test]
    fn an_instance_sends_while_it_is_alive_and_its_clock_agrees_with_the_databases() {
        let differing = |seconds| Heartbeat { clock_difference: Some(TimeDelta::seconds(seconds)), ..beat() };
        for (sentence, seconds, heartbeat, expected) in [
            ("just seen", 0, beat(), Ok(())),
            ("seen a moment ago", 11, beat(), Ok(())),
            ("others may have taken over", 12, beat(), Err(Obstacle::PresumedDead)),
            ("nobody can take over", 3_600, Heartbeat { is_replaceable: false, ..beat() }, Ok(())),
            ("clocks differ by two minutes", 0, differing(120), Ok(())),
            ("the database is ahead", 0, differing(121), Err(Obstacle::ClocksDiffer)),
            ("the database is behind", 0, differing(-121), Err(Obstacle::ClocksDiffer)),
        ] {
            assert_eq!(after(seconds, heartbeat), (3, expected), "{sentence}");
        }
    }

    #[test]
    fn a_process_without_heartbeats_is_the_only_instance() {
        let instances = Instances::alone();
        assert_eq!((instances.live(), instances.may_send()), (1, Ok(())));
    }
}
