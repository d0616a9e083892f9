//! The gates that a notice about a lapse must pass. Their order decides which reason is reported when several apply. A gate
//! that defers a notice sees how long the earlier gates have deferred it. Quiet hours are a gate of the whole email
//! (`emails.rs`).

use super::policy::{Policy, StatusPolicy};
use crate::domain::{
    ActiveHold, LapseInput, LastNotice, MemberId, NoticeReason, PlanningInput, Recipient, Repair, Time,
};
use chrono::TimeDelta;

/// What `max_per_month` is about.
const MONTH: TimeDelta = TimeDelta::days(30);

struct RuleInput<'a> {
    member: &'a MemberId,
    lapse: &'a LapseInput,
    recipient: &'a Recipient,
    policy: &'a Policy,
    now: Time,
}

/// The notice that the earlier gates agreed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) due_at: Time,
    pub(super) step: u32,
    pub(super) reason: NoticeReason,
    /// When the cadence alone is due. Before that, there is no such notice.
    pub(super) listed_at: Time,
    /// Whether it is the one notice beyond the cadence.
    pub(super) is_extra: bool,
    /// Whether a hold would cover it if it were due.
    pub(super) is_covered: bool,
}

impl Candidate {
    /// Moves it to a later time. The gate that it waits for now gives the reason.
    fn not_before(self, time: Time, reason: NoticeReason, now: Time) -> Self {
        let reason = if time > self.due_at.max(now) { reason } else { self.reason };
        Self { due_at: self.due_at.max(time), reason, ..self }
    }
}

/// What the gates say about the next notice about a lapse.
pub(super) enum Verdict {
    Due(Candidate),
    /// It waits for the end of a hold, and for its time.
    Held(Candidate, NoticeReason),
    Rejected(NoticeReason),
}

/// Why a candidate gets no further.
enum Stop {
    Reject(NoticeReason),
    Hold(Candidate, NoticeReason),
}

impl From<NoticeReason> for Stop {
    fn from(reason: NoticeReason) -> Self {
        Self::Reject(reason)
    }
}

type Gated = Result<Candidate, Stop>;

/// Passes the candidate on, possibly deferred, or stops it.
type Gate = fn(&RuleInput<'_>, Candidate) -> Gated;

const GATES: [Gate; 14] = [
    paused,
    suppressed,
    connection_missing,
    status_not_actionable,
    status_disabled,
    not_repairable,
    already_queued,
    delivery_abandoned,
    cadence,
    patience,
    snoozed,
    hold,
    min_gap,
    month_cap,
];

pub(super) fn evaluate(member: &PlanningInput, lapse: &LapseInput, policy: &Policy, now: Time) -> Verdict {
    let PlanningInput { member_id, recipient, .. } = member;
    let input = RuleInput { member: member_id, lapse, recipient, policy, now };
    let first = Candidate {
        due_at: lapse.opened_at,
        step: 0,
        reason: NoticeReason::FirstNotice,
        listed_at: lapse.opened_at,
        is_extra: false,
        is_covered: false,
    };
    match GATES.iter().try_fold(first, |candidate, gate| gate(&input, candidate)) {
        Ok(candidate) => Verdict::Due(candidate),
        Err(Stop::Hold(candidate, reason)) => Verdict::Held(candidate, reason),
        Err(Stop::Reject(reason)) => Verdict::Rejected(reason),
    }
}

impl RuleInput<'_> {
    fn status_policy(&self) -> Result<&StatusPolicy, NoticeReason> {
        let status = self.lapse.status.as_ref();
        status.and_then(|status| self.policy.for_status(status)).ok_or(NoticeReason::StatusNotActionable)
    }
}

fn skip_if(condition: bool, reason: NoticeReason, candidate: Candidate) -> Gated {
    if condition { Err(reason.into()) } else { Ok(candidate) }
}

/// The sum, or the end of time.
fn later(time: Time, wait: TimeDelta) -> Time {
    time.checked_add_signed(wait).unwrap_or(Time::MAX_UTC)
}

fn paused(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    skip_if(input.recipient.is_paused, NoticeReason::Paused, candidate)
}

fn suppressed(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    skip_if(input.recipient.is_suppressed, NoticeReason::Suppressed, candidate)
}

/// The planner evaluates the lapse again when the row returns or the lapse ends.
fn connection_missing(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    skip_if(input.lapse.is_missing, NoticeReason::ConnectionMissing, candidate)
}

fn status_not_actionable(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    input.status_policy()?;
    Ok(candidate)
}

fn status_disabled(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let LapseInput { status, repair, .. } = input.lapse;
    let is_enabled = status.as_ref().is_some_and(|status| input.policy.is_enabled(status, *repair));
    skip_if(!is_enabled, NoticeReason::StatusDisabled, candidate)
}

fn not_repairable(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let needs_app = input.lapse.repair == Repair::App;
    skip_if(needs_app && !input.policy.has_app_url, NoticeReason::NotRepairable, candidate)
}

fn already_queued(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    skip_if(input.lapse.last_notice == LastNotice::Pending, NoticeReason::AlreadyQueued, candidate)
}

fn delivery_abandoned(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    skip_if(input.lapse.last_notice == LastNotice::Abandoned, NoticeReason::DeliveryAbandoned, candidate)
}

/// The reminders of the current status follow the first notice, one step at a time. A lapse that resumes after its
/// last notice gets one more, once, because its earlier links no longer work.
fn cadence(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let LastNotice::Sent { step, last_sent_at, first_sent_at, is_extra } = input.lapse.last_notice else {
        return Ok(candidate);
    };
    let next = step.saturating_add(1);
    let reminders = &input.status_policy()?.reminders;
    let wait = usize::try_from(step).ok().and_then(|sent| reminders.get(sent));
    if let Some(wait) = wait {
        let due_at = later(first_sent_at, *wait);
        let reason = NoticeReason::Reminder;
        return Ok(Candidate { due_at, listed_at: due_at, step: next, reason, ..candidate });
    }
    let due_at = input.lapse.broken_since;
    if !is_extra && due_at > last_sent_at {
        let reason = NoticeReason::Resumed;
        return Ok(Candidate { due_at, listed_at: due_at, step: next, reason, is_extra: true, ..candidate });
    }
    Err(NoticeReason::CadenceEnded.into())
}

/// Many connections recover by themselves.
fn patience(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    if input.lapse.last_notice != LastNotice::None {
        return Ok(candidate);
    }
    let until = later(input.lapse.broken_since, input.status_policy()?.first_after);
    Ok(candidate.not_before(until, NoticeReason::FirstAfter, input.now))
}

fn snoozed(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let Some(until) = input.lapse.snoozed_until else { return Ok(candidate) };
    Ok(candidate.not_before(until, NoticeReason::Snoozed, input.now))
}

/// A hold covers a notice from when its cadence is due, also while it waits for patience.
fn hold(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let is_held = input.lapse.is_held;
    match held_by(input.member, input.lapse, input.recipient, is_held, input.now) {
        Some(reason) if candidate.listed_at <= input.now => Err(Stop::Hold(candidate, reason)),
        Some(_) => Ok(Candidate { is_covered: true, ..candidate }),
        None => Ok(candidate),
    }
}

/// The hold that covers the lapse now. `is_held`: whether its notice is held already.
pub(crate) fn held_by(
    member: &MemberId,
    lapse: &LapseInput,
    recipient: &Recipient,
    is_held: bool,
    now: Time,
) -> Option<NoticeReason> {
    let LapseInput { connection_id, status, .. } = lapse;
    let covers = |hold: &&ActiveHold| hold.covers(member, connection_id, status.as_ref(), is_held, now);
    recipient.holds.iter().find(covers).map(|hold| hold.kind.reason())
}

fn min_gap(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let last =
        input.recipient.emails.iter().filter(|email| email.counts_for_gap).map(|email| email.sent_at).max();
    let Some(last) = last else { return Ok(candidate) };
    Ok(candidate.not_before(later(last, input.policy.min_gap), NoticeReason::MinGap, input.now))
}

/// The email must not be the one too many of the 30 days before it.
fn month_cap(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let mut times: Vec<Time> = input.recipient.emails.iter().map(|email| email.sent_at).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    let Some(oldest) = times.get(input.policy.max_per_month.saturating_sub(1)) else { return Ok(candidate) };
    Ok(candidate.not_before(later(*oldest, MONTH), NoticeReason::MonthCap, input.now))
}

/// When an email that is due at `due` can go out, from `now` on.
pub(crate) fn after_quiet_hours(recipient: &Recipient, policy: &Policy, due: Time, now: Time) -> Time {
    let zone = recipient.time_zone.unwrap_or(policy.time_zone);
    policy.quiet_hours.map_or(due.max(now), |hours| hours.earliest(due, now, zone, recipient.spread))
}
