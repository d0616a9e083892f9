//! Predicts the next email about a lapse.

use super::address::plan;
use super::decision::Action;
use super::policy::Policy;
use crate::domain::{ActiveHold, HoldKind, LapseInput, NoticeReason, PlanningInput, Time};

/// More than there are gates that defer, and holds with an end that follow each other.
const MAX_DEFERRALS: usize = 32;

/// The next email about a lapse, if no fact changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forecast {
    Sends(Time),
    /// Nobody knows when it goes out, because a hold has no end.
    Held(NoticeReason),
    Nothing(NoticeReason),
}

/// When the next email about the lapse goes out, if no fact changes. `None`: none will, or nobody knows when, because an
/// operator's hold has no end. A storm is taken as over: it ends by itself.
pub(crate) fn next_email(
    member: &PlanningInput,
    lapse: &LapseInput,
    policy: &Policy,
    now: Time,
) -> Option<Time> {
    let mut member = member.clone();
    member.recipient.holds.retain(|hold| hold.kind != HoldKind::Storm);
    match forecast(&member, lapse, policy, now) {
        Forecast::Sends(at) => Some(at),
        Forecast::Held(_) | Forecast::Nothing(_) => None,
    }
}

/// Passes the lapse through the gates, from each deferral to the next.
pub(crate) fn forecast(member: &PlanningInput, lapse: &LapseInput, policy: &Policy, now: Time) -> Forecast {
    let member = PlanningInput { open: vec![lapse.clone()], ..member.clone() };
    let (mut at, mut last) = (now, NoticeReason::LapseClosed);
    for _ in 0..MAX_DEFERRALS {
        let plan = plan(std::slice::from_ref(&member), policy, at);
        let Some(decision) = plan.decisions.first() else { break };
        last = decision.action.reason();
        at = match decision.action {
            Action::Send { .. } => return Forecast::Sends(at),
            Action::Defer { until, .. } => until,
            Action::Hold { until, .. } => match end_of_holds(&member, lapse, at) {
                Some(end) => end.max(until),
                None => return Forecast::Held(last),
            },
            Action::Skip { .. } => return Forecast::Nothing(last),
        };
    }
    Forecast::Nothing(last)
}

/// `None`: one of those that cover the lapse has no end.
fn end_of_holds(member: &PlanningInput, lapse: &LapseInput, at: Time) -> Option<Time> {
    let LapseInput { connection_id, status, is_held, .. } = lapse;
    let covers =
        |hold: &&ActiveHold| hold.covers(&member.member_id, connection_id, status.as_ref(), *is_held, at);
    let ends = member.recipient.holds.iter().filter(covers).map(|hold| hold.until);
    ends.collect::<Option<Vec<_>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{day, emailed, expired, member, ordinary, policy};
    use super::*;
    use crate::domain::{HoldScope, LastNotice, Recipient, Repair, Status};

    fn sent(step: u32) -> LapseInput {
        let last_notice =
            LastNotice::Sent { step, last_sent_at: day(0), first_sent_at: day(0), is_extra: false };
        LapseInput { last_notice, ..expired() }
    }

    fn held(kind: HoldKind, until: Option<Time>) -> Recipient {
        let hold = ActiveHold { kind, is_dripping: false, scope: HoldScope::default(), until };
        Recipient { holds: vec![hold], ..ordinary() }
    }

    #[test]
    fn the_next_email_is_the_one_that_the_gates_will_let_pass() {
        let snoozed = |step, until| LapseInput { snoozed_until: Some(day(until)), ..sent(step) };
        let with_status = |status| LapseInput { status: Some(status), ..sent(0) };
        let paused = Recipient { is_paused: true, ..ordinary() };
        let suppressed = Recipient { is_suppressed: true, ..ordinary() };
        let [capped, below_cap] = [6, 5].map(|times| emailed((0..times).map(|_| day(0))));
        use HoldKind::{Operator, Storm};
        #[rustfmt::skip]
        let cases = [
            ("the first reminder comes on its day", sent(0), ordinary(), Some(3)),
            ("an overdue one comes now", LapseInput { broken_since: day(0), ..expired() }, ordinary(), Some(1)),
            ("after the last one nothing comes", sent(2), ordinary(), None),
            ("a snooze defers it", snoozed(0, 8), ordinary(), Some(8)),
            ("but not a reminder that is later anyway", snoozed(1, 8), ordinary(), Some(10)),
            ("a snooze of nothing promises nothing", snoozed(2, 8), ordinary(), None),
            ("nor does a DISCONNECTED connection without reminders", with_status(Status::Disconnected), ordinary(), None),
            ("nor one that nobody can repair", LapseInput { repair: Repair::App, ..sent(0) }, ordinary(), None),
            ("a paused member gets nothing", sent(0), paused, None),
            ("nor does a suppressed address", sent(0), suppressed, None),
            ("the cap counts", sent(0), capped, Some(30)),
            ("one less is below it", sent(0), below_cap, Some(3)),
            ("a hold that ends before does not matter", sent(0), held(Operator, Some(day(2))), Some(3)),
            ("one that ends later does", sent(0), held(Operator, Some(day(5))), Some(5)),
            ("one without an end leaves it open", sent(0), held(Operator, None), None),
            ("a storm ends by itself", sent(0), held(Storm, None), Some(3)),
        ];
        for (sentence, lapse, recipient, expected) in cases {
            let next = next_email(&member("ada", &[], &recipient), &lapse, &policy(), day(1));
            assert_eq!(next, expected.map(day), "{sentence}");
        }
    }
}
