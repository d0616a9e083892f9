//! The gates through which a lapse passes on its way to a notice. Their order decides which reason is given
//! when several would do, and a gate that puts a notice off sees how far the gates before it have put it off.

use super::{Open, PerStatus, Policy, Reason, Recipient, Said, Verdict, later};
use crate::domain::{Repair, Status, Time};

/// What a gate looks at.
struct Case<'a> {
    lapse: &'a Open,
    recipient: &'a Recipient,
    policy: &'a Policy,
    now: Time,
}

/// The notice that the gates have agreed on so far.
struct Due {
    at: Time,
    step: u32,
    reason: Reason,
}

/// Passes the notice on, perhaps put off, or says why there is none.
type Gate = fn(&Case<'_>, Due) -> Result<Due, Reason>;

const GATES: [Gate; 10] = [
    member_paused,
    suppressed,
    connection_missing,
    status_not_actionable,
    status_disabled,
    no_way_to_repair,
    already_queued,
    given_up,
    cadence,
    min_gap,
];

pub(super) fn pass(lapse: &Open, recipient: &Recipient, policy: &Policy, now: Time) -> Verdict {
    let case = Case { lapse, recipient, policy, now };
    let first = Due { at: lapse.opened_at, step: 0, reason: Reason::FirstNotice };
    match GATES.iter().try_fold(first, |due, gate| gate(&case, due)) {
        Ok(Due { at, step, reason }) if at <= now => Verdict::Now { step, reason },
        Ok(Due { at, step, reason }) => Verdict::NotBefore { at, step, reason },
        Err(reason) => Verdict::Never { reason },
    }
}

impl Case<'_> {
    /// The rules for the connection's present status; a status without rules is not written about.
    fn per_status(&self) -> Result<&PerStatus, Reason> {
        match self.lapse.status {
            Some(Status::Expired) => Ok(&self.policy.expired),
            Some(Status::Disconnected) => Ok(&self.policy.disconnected),
            _ => Err(Reason::StatusNotActionable),
        }
    }
}

fn turn_away_if(condition: bool, reason: Reason, due: Due) -> Result<Due, Reason> {
    if condition { Err(reason) } else { Ok(due) }
}

fn member_paused(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    turn_away_if(case.recipient.paused, Reason::MemberPaused, due)
}

fn suppressed(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    turn_away_if(case.recipient.suppressed, Reason::Suppressed, due)
}

/// The planner looks again when the row is back, or the lapse ends because it is gone.
fn connection_missing(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    turn_away_if(case.lapse.is_missing, Reason::ConnectionMissing, due)
}

fn status_not_actionable(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    case.per_status().map(|_| due)
}

fn status_disabled(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    turn_away_if(!case.per_status()?.enabled, Reason::StatusDisabled, due)
}

fn no_way_to_repair(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    let stuck = case.lapse.repair == Repair::App && !case.policy.app_url;
    turn_away_if(stuck, Reason::NoWayToRepair, due)
}

fn already_queued(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    turn_away_if(case.lapse.said == Said::Pending, Reason::AlreadyQueued, due)
}

fn given_up(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    turn_away_if(case.lapse.said == Said::GaveUp, Reason::GivenUp, due)
}

/// After the first notice come the reminders of the present status, one step at a time, until there are none
/// left. A break that began after the last of them gets one more notice, once per lapse: the links before it are dead.
fn cadence(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    let Said::Sent { step, last_sent_at, first_sent_at, extra } = case.lapse.said else { return Ok(due) };
    let next = step.saturating_add(1);
    let reminders = &case.per_status()?.reminders;
    let wait = usize::try_from(step).ok().and_then(|sent| reminders.get(sent));
    if let Some(wait) = wait {
        return Ok(Due { at: later(first_sent_at, *wait), step: next, reason: Reason::Reminder });
    }
    if !extra && case.lapse.broken_since > last_sent_at {
        return Ok(Due { at: case.lapse.broken_since, step: next, reason: Reason::Resumed });
    }
    Err(Reason::CadenceEnded)
}

fn min_gap(case: &Case<'_>, due: Due) -> Result<Due, Reason> {
    let Some(last) = case.recipient.last_notice_at else { return Ok(due) };
    let open_at = later(last, case.policy.min_gap);
    if open_at > due.at.max(case.now) {
        Ok(Due { at: open_at, reason: Reason::MinGap, ..due })
    } else {
        Ok(due)
    }
}
