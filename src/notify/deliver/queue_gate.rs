//! Closes the queue while the mail server cannot be used.
//!
//! A failure that every notice would share closes the queue. From then on, one notice at a time probes the server, and
//! the first acceptance opens the queue again.

use crate::base::backoff;
use crate::domain::Time;
use chrono::TimeDelta;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// From this many rejected recipients in a row, the server rejects everything for the moment, not these recipients.
const REJECTIONS_IN_A_ROW: u32 = 4;
/// How soon a delivery asks again while another one is probing.
const PROBING: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct QueueGate(Arc<Gate>);

#[derive(Default)]
struct Gate(Mutex<State>);

#[derive(Default)]
struct State {
    /// Changes whenever the gate closes, so that a failure of before does not count again.
    generation: u64,
    closed: Option<Closed>,
    rejections_in_a_row: u32,
    /// Permanent rejections of recipients without a code that names the address as the cause.
    implied_rejections_in_a_row: u32,
}

struct Closed {
    since: Time,
    until: Time,
    failures: u32,
    is_probing: bool,
}

/// The permission to deliver the notices of one claim. Dropping it lets the next notice probe.
pub(super) struct Pass {
    gate: Arc<Gate>,
    generation: u64,
    is_probe: bool,
}

impl QueueGate {
    /// # Errors
    /// How long to wait: the gate is closed.
    pub(super) fn enter(&self, now: Time) -> Result<Pass, Duration> {
        let mut state = self.0.lock();
        let generation = state.generation;
        let is_probe = match &mut state.closed {
            None => false,
            Some(closed) if closed.is_probing => return Err(PROBING),
            // Before the failure, the clock was set back.
            Some(closed) if closed.since <= now && closed.until > now => {
                return Err((closed.until - now).to_std().unwrap_or_default());
            }
            Some(closed) => {
                closed.is_probing = true;
                true
            }
        };
        Ok(Pass { gate: self.0.clone(), generation, is_probe })
    }

    /// The time of the last failure, while the queue is closed and nothing probes.
    pub(super) fn closed_since(&self) -> Option<Time> {
        self.0.lock().closed.as_ref().filter(|closed| !closed.is_probing).map(|closed| closed.since)
    }

    /// Lets the next notice probe.
    pub(super) fn end_pause(&self) {
        if let Some(closed) = &mut self.0.lock().closed {
            closed.until = closed.since;
        }
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Whether this is the one notice that probes a closed queue.
    pub(super) fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// The end of the pause, if the queue was closed since this delivery began.
    pub(super) fn closed_until(&self) -> Option<Time> {
        let state = self.gate.lock();
        state.closed.as_ref().filter(|_| state.generation != self.generation).map(|closed| closed.until)
    }

    /// The server accepted an email. Returns whether that opens the queue again.
    pub(super) fn accepted(&self) -> bool {
        let mut state = self.gate.lock();
        state.rejections_in_a_row = 0;
        state.implied_rejections_in_a_row = 0;
        let reopens = state.closed.take().is_some();
        if reopens {
            tracing::info!(event = "queue_reopened", "the mail server accepts email again");
        }
        reopens
    }

    /// Counts a transient rejection in a session that had accepted nothing. Returns whether it is the server's own.
    pub(super) fn is_rejecting_everything(&self) -> bool {
        let mut state = self.gate.lock();
        state.rejections_in_a_row = state.rejections_in_a_row.saturating_add(1);
        state.rejections_in_a_row >= REJECTIONS_IN_A_ROW
    }

    /// Counts a permanent rejection that may be the server's own. Returns whether it probably is.
    pub(super) fn is_rejecting_all_recipients(&self) -> bool {
        let mut state = self.gate.lock();
        state.implied_rejections_in_a_row = state.implied_rejections_in_a_row.saturating_add(1);
        state.implied_rejections_in_a_row >= REJECTIONS_IN_A_ROW
    }

    /// A failure that every notice would share. Returns when the next notice probes.
    pub(super) fn close(&self, now: Time, jitter: f64) -> Time {
        let mut state = self.gate.lock();
        let failures = match &state.closed {
            // Another delivery that began before the queue closed.
            Some(closed) if state.generation != self.generation => return closed.until,
            closed => closed.as_ref().map_or(0, |closed| closed.failures) + 1,
        };
        let wait = backoff::probe_delay(failures, jitter);
        let until = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::minutes(15));
        state.generation += 1;
        state.closed = Some(Closed { since: now, until, failures, is_probing: false });
        until
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if self.is_probe
            && state.generation == self.generation
            && let Some(closed) = &mut state.closed
        {
            closed.is_probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Time {
        Time::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_closed_queue_is_probed_by_one_notice_at_growing_intervals_of_at_most_fifteen_minutes() {
        let gate = QueueGate::default();
        let mut until = gate.enter(at(0)).ok().unwrap().close(at(0), 0.0);
        let mut waits = vec![until - at(0)];
        for _ in 0..6 {
            assert!(gate.enter(until - TimeDelta::seconds(1)).is_err());
            let probe = gate.enter(until).ok().unwrap();
            assert_eq!(gate.enter(until).err(), Some(PROBING), "one probes");
            assert_eq!(probe.closed_until(), None, "nothing has closed the queue since");
            let next = probe.close(until, 1.0);
            waits.push(next - until);
            until = next;
        }
        assert!(waits.is_sorted() && waits.iter().all(|wait| *wait <= TimeDelta::minutes(15)), "{waits:?}");
        assert!(gate.enter(until).ok().unwrap().accepted());
        let passes = [gate.enter(until).ok().unwrap(), gate.enter(until).ok().unwrap()];
        assert!(passes.iter().all(|pass| !pass.accepted()), "the queue is open");
    }

    #[test]
    fn deliveries_that_fail_together_close_the_queue_once() {
        let gate = QueueGate::default();
        let passes: Vec<_> = (0..5).map(|_| gate.enter(at(0)).ok().unwrap()).collect();
        assert!(passes.iter().all(|pass| pass.closed_until().is_none()));
        let ends: Vec<_> = passes.iter().map(|pass| pass.close(at(0), 0.0)).collect();
        assert_eq!(ends, [at(1); 5]);
        assert!(passes.iter().all(|pass| pass.closed_until() == Some(at(1))));
    }

    #[test]
    fn a_probe_that_never_reached_the_server_lets_the_next_notice_probe() {
        let gate = QueueGate::default();
        let until = gate.enter(at(0)).ok().unwrap().close(at(0), 0.0);
        drop(gate.enter(until).ok().unwrap());
        assert!(gate.enter(until).is_ok());
    }

    #[test]
    fn a_probe_that_failed_lets_no_other_notice_probe_beside_its_successor() {
        let gate = QueueGate::default();
        let until = gate.enter(at(0)).ok().unwrap().close(at(0), 0.0);
        assert!(gate.enter(at(0)).is_err(), "not at the time of the failure, either");
        let failed = gate.enter(until).ok().unwrap();
        let until = failed.close(until, 0.0);
        let _successor = gate.enter(until).ok().unwrap();
        drop(failed);
        assert_eq!(gate.enter(until).err(), Some(PROBING));
    }

    #[test]
    fn a_delivery_that_opened_the_queue_learns_that_another_has_closed_it() {
        let gate = QueueGate::default();
        let opened_at = gate.enter(at(0)).ok().unwrap().close(at(0), 0.0);
        let opener = gate.enter(opened_at).ok().unwrap();
        assert!(opener.accepted());
        let until = gate.enter(opened_at).ok().unwrap().close(opened_at, 0.0);
        assert_eq!(opener.closed_until(), Some(until));
        assert_eq!(opener.close(opened_at, 0.0), until, "that failure counts once");
    }

    #[test]
    fn a_clock_that_is_set_back_lets_one_notice_probe() {
        let gate = QueueGate::default();
        gate.enter(at(60)).ok().unwrap().close(at(60), 0.0);
        let _probe = gate.enter(at(0)).ok().unwrap();
        assert_eq!(gate.enter(at(0)).err(), Some(PROBING));
    }

    #[test]
    fn the_end_of_a_pause_lets_one_notice_probe() {
        let gate = QueueGate::default();
        assert_eq!(gate.closed_since(), None);
        let until = gate.enter(at(0)).ok().unwrap().close(at(0), 0.0);
        assert_eq!(gate.closed_since(), Some(at(0)));
        gate.end_pause();
        let probe = gate.enter(at(0)).ok().unwrap();
        assert_eq!((gate.enter(at(0)).err(), gate.closed_since()), (Some(PROBING), None));
        assert!(probe.close(at(0), 0.0) > until);
        assert!(gate.enter(until).is_err());
    }

    #[test]
    fn four_rejections_in_a_row_are_the_servers_and_an_acceptance_starts_the_count_again() {
        let gate = QueueGate::default();
        let pass = gate.enter(at(0)).ok().unwrap();
        let rejected = || pass.is_rejecting_everything();
        assert_eq!([rejected(), rejected(), rejected()], [false; 3]);
        pass.accepted();
        assert_eq!(
            [rejected(), rejected(), rejected(), rejected(), rejected()],
            [false, false, false, true, true]
        );
    }
}
