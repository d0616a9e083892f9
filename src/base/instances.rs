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
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    last: Option<Heartbeat>,
    term: u64,
}

/// A time during which the others never presumed this instance dead. What it claimed in the term is its own until the end.
#[derive(Clone, Debug)]
pub struct Term {
    instances: Instances,
    number: u64,
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
    /// Whether the others had presumed this instance dead.
    pub was_presumed_dead: bool,
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
        Self { clock, known: Arc::default() }
    }

    /// For a process that sends no heartbeats.
    pub fn alone() -> Self {
        Self::new(Clock::System)
    }

    pub fn note(&self, heartbeat: Heartbeat) {
        let mut known = self.lock();
        // A heartbeat in between may have failed here and arrived there.
        let is_late = |last: Heartbeat| {
            last.is_replaceable
                && heartbeat.sent_at.saturating_sub(last.sent_at) >= PRESUMES_ITSELF_DEAD_AFTER
        };
        if heartbeat.was_presumed_dead || known.last.is_some_and(is_late) {
            known.term += 1;
        }
        known.last = Some(heartbeat);
    }

    /// The present term. Begin it before a claim.
    pub fn term(&self) -> Term {
        Term { instances: self.clone(), number: self.lock().term }
    }

    /// The instances that are alive, at least one.
    pub(crate) fn live(&self) -> u32 {
        self.lock().last.map_or(1, |last| last.live.max(1))
    }

    /// # Errors
    /// Why this instance must not send email now.
    pub(crate) fn may_send(&self) -> Result<(), Obstacle> {
        let Some(last) = self.lock().last else { return Ok(()) };
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

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Term {
    /// # Errors
    /// Why this instance must not send an email now that it claimed in the term.
    pub(crate) fn may_send(&self) -> Result<(), Obstacle> {
        if self.instances.lock().term != self.number {
            return Err(Obstacle::PresumedDead);
        }
        self.instances.may_send()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::domain::Time;

    fn beat() -> Heartbeat {
        Heartbeat {
            sent_at: Duration::ZERO,
            live: 3,
            clock_difference: None,
            is_replaceable: true,
            was_presumed_dead: false,
        }
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
    fn a_term_ends_when_the_others_may_have_taken_over_and_a_new_one_begins() {
        for (sentence, seconds, next, expected) in [
            ("a heartbeat in time", 11, beat(), Ok(())),
            ("a late one", 12, beat(), Err(Obstacle::PresumedDead)),
            (
                "one that came too late",
                11,
                Heartbeat { was_presumed_dead: true, ..beat() },
                Err(Obstacle::PresumedDead),
            ),
            ("nobody can take over", 3_600, Heartbeat { is_replaceable: false, ..beat() }, Ok(())),
        ] {
            let clock = ManualClock::at(Time::UNIX_EPOCH);
            let instances = Instances::new(Clock::Manual(clock.clone()));
            instances.note(Heartbeat { is_replaceable: next.is_replaceable, ..beat() });
            let term = instances.term();
            clock.advance(TimeDelta::seconds(seconds));
            instances.note(Heartbeat { sent_at: Duration::from_secs(seconds.unsigned_abs()), ..next });
            assert_eq!(term.may_send(), expected, "{sentence}");
            assert_eq!(instances.term().may_send(), Ok(()), "{sentence}: a new term");
        }
    }

    #[test]
    fn a_process_without_heartbeats_is_the_only_instance() {
        let instances = Instances::alone();
        assert_eq!((instances.live(), instances.may_send()), (1, Ok(())));
    }
}
