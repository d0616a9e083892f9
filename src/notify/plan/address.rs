//! Plans the emails to one address.

use super::decision::{Action, EmailState, LapseDecision, Plan, PlannedEmail};
use super::emails::{self, DueNotice};
use super::gates::{self, Candidate, Verdict};
use super::policy::Policy;
use crate::domain::{NoticeReason, PlanningInput, Time};

/// Plans for the members who share an address, in the order of their ids. Each has all its open lapses.
pub(crate) fn plan(members: &[PlanningInput], policy: &Policy, now: Time) -> Plan {
    let (mut decisions, mut due, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for (member, input) in members.iter().enumerate() {
        for lapse in &input.open {
            let place = decisions.len();
            let (action, is_extra) = match gates::evaluate(input, lapse, policy, now) {
                Verdict::Due(candidate) => {
                    due.push(DueNotice { place, member, candidate });
                    (before_cadence(&candidate), candidate.is_extra)
                }
                Verdict::Held(Candidate { due_at, step, is_extra, .. }, reason) => {
                    held.push(place);
                    (Action::Hold { until: due_at, step, reason }, is_extra)
                }
                Verdict::Rejected(reason) => (Action::Skip { reason }, false),
            };
            decisions.push(LapseDecision {
                member_id: input.member_id.clone(),
                lapse_id: lapse.lapse_id.clone(),
                connection_id: lapse.connection_id.clone(),
                action,
                is_extra,
            });
        }
    }
    let mut emails = emails::compose(members, &due, policy, now);
    for DueNotice { place, candidate, .. } in &due {
        let email = emails.iter().find(|email| email.decisions.binary_search(place).is_ok());
        if let (Some(email), Some(decision)) = (email, decisions.get_mut(*place)) {
            decision.action = in_email(candidate, email, now);
        }
    }
    emails.extend(held_email(&decisions, held));
    Plan { decisions, emails }
}

/// A reminder whose day has not come.
fn before_cadence(candidate: &Candidate) -> Action {
    let Candidate { listed_at, step, is_extra, .. } = *candidate;
    let reason = match step {
        0 => NoticeReason::FirstNotice,
        _ if is_extra => NoticeReason::Resumed,
        _ => NoticeReason::Reminder,
    };
    Action::Defer { until: listed_at, step, reason }
}

fn in_email(candidate: &Candidate, email: &PlannedEmail, now: Time) -> Action {
    let Candidate { due_at, step, reason, .. } = *candidate;
    match email.state {
        EmailState::Due if due_at <= now => Action::Send { step, reason },
        EmailState::Due => Action::Send { step, reason: NoticeReason::Digest },
        EmailState::Waits | EmailState::Held => {
            let until = email.not_before;
            let reason = if until > due_at.max(now) { email.reason } else { reason };
            Action::Defer { until, step, reason }
        }
    }
}

/// What holds cover waits in an email of its own.
fn held_email(decisions: &[LapseDecision], held: Vec<usize>) -> Option<PlannedEmail> {
    let holds = held.iter().filter_map(|place| match decisions.get(*place)?.action {
        Action::Hold { until, reason, .. } => Some((until, reason)),
        _ => None,
    });
    let (not_before, reason) = holds.min_by_key(|(until, _)| *until)?;
    Some(PlannedEmail { state: EmailState::Held, not_before, reason, decisions: held })
}
