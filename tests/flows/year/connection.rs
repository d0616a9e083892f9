//! One connection as the documentation describes it: what is known of it, and its latest lapse.

use super::policies::{FLAP_WINDOW, Policy};
use super::reports::{LAPSED, RECOVERED};
use chrono::{DateTime, TimeDelta, Utc};

pub(crate) type Time = DateTime<Utc>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Suspected,
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Recovered,
    Removed,
    Dismissed,
}

#[derive(Clone, Debug)]
pub(crate) struct Lapse {
    pub(crate) state: State,
    /// Kept while a break that resumes it is only suspected.
    pub(crate) outcome: Option<Outcome>,
    /// The first response that showed the latest break.
    pub(crate) broken_since: Time,
    responses: u32,
    was_open: bool,
    /// The confirmation of the latest break.
    pub(crate) confirmed_at: Option<Time>,
    closed_at: Option<Time>,
    /// The steps that were emailed, and when.
    pub(crate) sent: Vec<(u32, Time)>,
    /// Whether the one notice beyond the cadence was sent.
    has_had_extra: bool,
    pub(crate) snoozed_until: Option<Time>,
    pub(crate) is_abandoned: bool,
    /// Whether its recovery was emailed.
    pub(crate) is_announced: bool,
    /// It is dismissed because the operator disconnected the connection.
    pub(crate) is_parted: bool,
    /// Whether its next email met trouble at the gateway or at the mail server.
    pub(crate) had_trouble: bool,
    /// Since when nothing stands in the way of the next email.
    pub(crate) clear_since: Option<Time>,
}

/// The next email about a lapse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) step: u32,
    pub(crate) not_before: Time,
    is_extra: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// The status of the last transition.
    pub(crate) known: Option<String>,
    /// Consecutive responses without its row.
    missing: u32,
    pub(crate) lapse: Option<Lapse>,
    /// The one before, while the latest is only suspected.
    former: Option<Lapse>,
    /// What the operator's receiver must be told.
    pub(crate) facts: Vec<&'static str>,
}

/// From a status, or from nothing, to another one.
pub(crate) type Change = (Option<String>, String);

pub(crate) fn is_broken(status: &str) -> bool {
    matches!(status, "EXPIRED" | "DISCONNECTED")
}

impl Connection {
    /// A usable response shows this status, or no such row.
    pub(crate) fn respond(&mut self, row: Option<&str>, policy: &Policy, now: Time) -> Option<Change> {
        let Some(status) = row else { return self.miss(policy, now) };
        self.missing = 0;
        match status {
            status if is_broken(status) => self.break_down(policy, now),
            "CONNECTED" => self.recover(now),
            // ERROR: the member can do nothing about it.
            _ => self.forget_suspicion(),
        }
        self.become_known(status)
    }

    fn become_known(&mut self, status: &str) -> Option<Change> {
        if self.known.as_deref() == Some(status) {
            return None;
        }
        let from = self.known.replace(status.to_owned());
        Some((from, status.to_owned()))
    }

    /// A missing row counts as DELETED when it is confirmed as a break is.
    fn miss(&mut self, policy: &Policy, now: Time) -> Option<Change> {
        if matches!(self.known.as_deref(), None | Some("DELETED")) {
            return None;
        }
        self.missing += 1;
        if self.missing < policy.confirm_sweeps {
            return None;
        }
        self.missing = 0;
        self.end(Outcome::Removed, now);
        self.become_known("DELETED")
    }

    fn break_down(&mut self, policy: &Policy, now: Time) {
        match &mut self.lapse {
            Some(lapse) if lapse.state == State::Open || lapse.is_dismissed() => return,
            Some(lapse) if lapse.state == State::Suspected => lapse.responses += 1,
            Some(lapse) if lapse.closed_at.is_some_and(|at| now - at < FLAP_WINDOW) => lapse.resume(now),
            other => self.former = other.replace(Lapse::suspected(now)),
        }
        if let Some(lapse) = self.lapse.as_mut().filter(|lapse| lapse.responses >= policy.confirm_sweeps) {
            lapse.open(now);
            self.facts.push(LAPSED);
        }
    }

    fn recover(&mut self, now: Time) {
        self.forget_suspicion();
        if let Some(lapse) =
            self.lapse.as_mut().filter(|lapse| lapse.state == State::Open || lapse.is_dismissed())
        {
            lapse.close(Outcome::Recovered, now);
            self.facts.push(RECOVERED);
        }
    }

    fn forget_suspicion(&mut self) {
        let is_suspected = |lapse: &&mut Lapse| lapse.state == State::Suspected;
        match self.lapse.as_mut().filter(is_suspected) {
            Some(lapse) if lapse.was_open => lapse.state = State::Closed,
            Some(_) => self.lapse = self.former.take(),
            None => {}
        }
    }

    /// The connection, or its member, is gone.
    pub(crate) fn end(&mut self, outcome: Outcome, now: Time) {
        match &mut self.lapse {
            Some(lapse) if lapse.state == State::Suspected && !lapse.was_open => {
                self.lapse = self.former.take();
            }
            Some(lapse) if lapse.state != State::Closed => lapse.close(outcome, now),
            _ => {}
        }
    }

    /// The operator disconnects it.
    pub(crate) fn part(&mut self, now: Time) {
        let lapse = self.lapse.get_or_insert_with(|| Lapse::suspected(now));
        if matches!(lapse.outcome, Some(Outcome::Recovered | Outcome::Removed)) {
            // It breaks again, so an earlier link has ended.
            lapse.broken_since = now;
        }
        lapse.close(Outcome::Dismissed, now);
        lapse.is_parted = true;
    }

    pub(crate) fn open_lapse(&self) -> Option<&Lapse> {
        self.lapse.as_ref().filter(|lapse| lapse.state == State::Open)
    }
}

impl Lapse {
    fn suspected(now: Time) -> Self {
        Self {
            state: State::Suspected,
            outcome: None,
            broken_since: now,
            responses: 1,
            was_open: false,
            confirmed_at: None,
            closed_at: None,
            sent: Vec::new(),
            has_had_extra: false,
            snoozed_until: None,
            is_abandoned: false,
            is_announced: false,
            is_parted: false,
            had_trouble: false,
            clear_since: None,
        }
    }

    /// It broke again within the flap window: the same lapse, with its cadence.
    fn resume(&mut self, now: Time) {
        (self.state, self.broken_since, self.responses) = (State::Suspected, now, 1);
    }

    fn open(&mut self, now: Time) {
        if self.state != State::Open {
            self.confirmed_at = Some(now);
            self.is_announced = false;
        }
        (self.state, self.outcome, self.closed_at, self.was_open) = (State::Open, None, None, true);
    }

    pub(crate) fn close(&mut self, outcome: Outcome, now: Time) {
        (self.state, self.outcome, self.closed_at) = (State::Closed, Some(outcome), Some(now));
        (self.clear_since, self.is_parted) = (None, false);
        // A dismissal can be undone, and then the reminders continue where they were.
        if outcome != Outcome::Dismissed {
            self.snoozed_until = None;
        }
    }

    /// What a member dismissed is open again.
    pub(crate) fn reopen(&mut self) {
        (self.state, self.outcome, self.closed_at, self.is_parted) = (State::Open, None, None, false);
    }

    pub(crate) fn is_dismissed(&self) -> bool {
        self.state == State::Closed && self.outcome == Some(Outcome::Dismissed)
    }

    /// `None`: the cadence has ended, or the status asks for no email.
    pub(crate) fn next(&self, status: &str, policy: &Policy) -> Option<Next> {
        let of_status = policy.of(status).filter(|of_status| of_status.enabled)?;
        let (Some((_, first)), Some((step, last))) = (self.sent.first(), self.sent.last()) else {
            let not_before = self.broken_since + of_status.first_after;
            return Some(Next { step: 0, not_before, is_extra: false });
        };
        match of_status.reminders.get(*step as usize) {
            Some(wait) => Some(Next { step: step + 1, not_before: *first + *wait, is_extra: false }),
            // A lapse that resumes after its cadence gets exactly one more.
            None if !self.has_had_extra && self.broken_since > *last => {
                Some(Next { step: step + 1, not_before: self.broken_since, is_extra: true })
            }
            None => None,
        }
    }

    pub(crate) fn record(&mut self, next: Next, at: Time) {
        self.sent.push((next.step, at));
        self.has_had_extra |= next.is_extra;
        (self.clear_since, self.had_trouble) = (None, false);
    }

    pub(crate) fn is_snoozed(&self, now: Time) -> bool {
        self.snoozed_until.is_some_and(|until| now < until)
    }

    pub(crate) fn snooze(&mut self, now: Time) {
        self.snoozed_until = Some(now + TimeDelta::days(7));
    }
}
