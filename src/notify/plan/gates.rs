//! The gates that a notice must pass. Their order decides which reason is reported when several apply. A gate that
//! defers a notice sees how long the earlier gates have deferred it.

use super::decision::Action;
use super::policy::{Policy, StatusPolicy};
use crate::domain::{ActiveHold, LapseInput, LastNotice, MemberId, NoticeReason, Recipient, Repair, Time};
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
struct Candidate {
    due_at: Time,
    step: u32,
    reason: NoticeReason,
}

impl Candidate {
    /// Moves it to a later time. The gate that it waits for now gives the reason.
    fn not_before(self, time: Time, reason: NoticeReason, now: Time) -> Self {
        let reason = if time > self.due_at.max(now) { reason } else { self.reason };
        Self { due_at: self.due_at.max(time), reason, ..self }
    }
}

/// Why a candidate gets no further.
enum Stop {
    Reject(NoticeReason),
    Hold { step: u32, reason: NoticeReason, is_extra: bool },
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
    hold,
    min_gap,
    month_cap,
    quiet_hours,
];

pub(super) fn evaluate(
    member: &MemberId,
    lapse: &LapseInput,
    recipient: &Recipient,
    policy: &Policy,
    now: Time,
) -> Action {
    let input = RuleInput { member, lapse, recipient, policy, now };
    let first = Candidate { due_at: lapse.opened_at, step: 0, reason: NoticeReason::FirstNotice };
    match GATES.iter().try_fold(first, |candidate, gate| gate(&input, candidate)) {
        Ok(Candidate { due_at, step, reason }) if due_at <= now => Action::Send { step, reason },
        Ok(Candidate { due_at, step, reason }) => Action::Defer { until: due_at, step, reason },
        Err(Stop::Hold { step, reason, is_extra }) => Action::Hold { step, reason, is_extra },
        Err(Stop::Reject(reason)) => Action::Skip { reason },
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
        return Ok(Candidate { due_at, step: next, reason: NoticeReason::Reminder });
    }
    let broken_since = input.lapse.broken_since;
    if !is_extra && broken_since > last_sent_at {
        return Ok(Candidate { due_at: broken_since, step: next, reason: NoticeReason::Resumed });
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

/// A hold matters when the notice is due.
fn hold(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    match held_by(input.member, input.lapse, input.recipient, input.now) {
        Some(reason) if candidate.due_at <= input.now => {
            let is_extra = candidate.reason == NoticeReason::Resumed;
            Err(Stop::Hold { step: candidate.step, reason, is_extra })
        }
        _ => Ok(candidate),
    }
}

/// The hold that covers the lapse now.
pub(crate) fn held_by(
    member: &MemberId,
    lapse: &LapseInput,
    recipient: &Recipient,
    now: Time,
) -> Option<NoticeReason> {
    let covers = |hold: &&ActiveHold| hold.covers(member, &lapse.connection_id, lapse.status.as_ref(), now);
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

fn quiet_hours(input: &RuleInput<'_>, candidate: Candidate) -> Gated {
    let until = after_quiet_hours(input.recipient, input.policy, candidate.due_at, input.now);
    Ok(candidate.not_before(until, NoticeReason::QuietHours, input.now))
}

/// When an email that is due at `due` can go out, from `now` on.
pub(crate) fn after_quiet_hours(recipient: &Recipient, policy: &Policy, due: Time, now: Time) -> Time {
    let zone = recipient.time_zone.unwrap_or(policy.time_zone);
    policy.quiet_hours.map_or(due.max(now), |hours| hours.earliest(due, now, zone, recipient.spread))
}
