//! Decides which recoveries to announce. A recovery email is sent immediately or not at all: `min_gap` does not apply, and
//! a blocked one is not sent later.

use super::decision::{Action, EmailState, LapseDecision, Plan, PlannedEmail};
use super::policy::Policy;
use crate::domain::{NoticeReason, PlanningInput, Recipient, RecoveredInput, Status, Time};

/// Plans one notice about the lapses of one member that just recovered.
pub(crate) fn plan_recovered(member: &PlanningInput, policy: &Policy, now: Time) -> Plan {
    let decide = |lapse: &RecoveredInput| LapseDecision {
        member_id: member.member_id.clone(),
        lapse_id: lapse.lapse_id.clone(),
        connection_id: lapse.connection_id.clone(),
        action: match rejection(lapse, &member.recipient, policy) {
            Some(reason) => Action::Skip { reason },
            None => Action::Send { step: 0, reason: NoticeReason::RecoveryNotice },
        },
        is_extra: false,
    };
    let decisions: Vec<_> = member.recovered.iter().map(decide).collect();
    let is_sent = |place: &usize| {
        matches!(decisions.get(*place), Some(LapseDecision { action: Action::Send { .. }, .. }))
    };
    let sent: Vec<_> = (0..decisions.len()).filter(is_sent).collect();
    let email = PlannedEmail {
        state: EmailState::Due,
        not_before: now,
        reason: NoticeReason::RecoveryNotice,
        decisions: sent,
    };
    let emails = if email.decisions.is_empty() { Vec::new() } else { vec![email] };
    Plan { decisions, emails }
}

fn rejection(lapse: &RecoveredInput, recipient: &Recipient, policy: &Policy) -> Option<NoticeReason> {
    let is_announced =
        lapse.recovery_notified_at.is_some() && lapse.recovery_notified_at >= lapse.notified_at;
    let gates = [
        (!policy.announces_recoveries, NoticeReason::RecoveriesDisabled),
        (recipient.is_paused, NoticeReason::Paused),
        (recipient.is_suppressed, NoticeReason::Suppressed),
        (lapse.status != Some(Status::Connected), NoticeReason::NotConnected),
        (lapse.is_person_mismatch, NoticeReason::PersonMismatch),
        (lapse.notified_at.is_none(), NoticeReason::NeverNotified),
        (is_announced, NoticeReason::AlreadyNotified),
    ];
    gates.into_iter().find_map(|(rejects, reason)| rejects.then_some(reason))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{day, due, emailed, member, ordinary, policy};
    use super::*;
    use crate::domain::Status;

    fn plan(recovered: &[RecoveredInput], recipient: &Recipient, policy: &Policy) -> Plan {
        let member = PlanningInput { recovered: recovered.to_vec(), ..member("ada", &[], recipient) };
        plan_recovered(&member, policy, day(3))
    }

    fn noticed() -> RecoveredInput {
        RecoveredInput {
            lapse_id: "lapse".into(),
            connection_id: "epic".into(),
            status: Some(Status::Connected),
            is_person_mismatch: false,
            notified_at: Some(day(1)),
            recovery_notified_at: None,
        }
    }

    #[test]
    fn a_recovery_is_announced_once_to_members_who_received_a_notice_about_the_lapse() {
        let on = || Policy { announces_recoveries: true, ..policy() };
        let paused = Recipient { is_paused: true, ..ordinary() };
        let suppressed = Recipient { is_suppressed: true, ..ordinary() };
        let just_notified = emailed([day(1)]);
        let with_status = |status| RecoveredInput { status, ..noticed() };
        let announced = |on| RecoveredInput { recovery_notified_at: Some(day(on)), ..noticed() };
        let unnotified = || RecoveredInput { notified_at: None, ..noticed() };
        #[rustfmt::skip]
        let cases = [
            ("a notified member learns of the recovery", noticed(), ordinary(), on(), "send recovery_notice"),
            ("the minimum gap does not apply", noticed(), just_notified, on(), "send recovery_notice"),
            ("announcements are off by default",
                noticed(), ordinary(), policy(), "skip recoveries_disabled"),
            ("a paused member gets none", noticed(), paused, on(), "skip paused"),
            ("a suppressed address gets none", noticed(), suppressed, on(), "skip suppressed"),
            ("without a notice there is no announcement", unnotified(), ordinary(), on(), "skip never_notified"),
            ("also when an earlier recovery was announced",
                RecoveredInput { recovery_notified_at: Some(day(1)), ..unnotified() }, ordinary(), on(), "skip never_notified"),
            ("a connection that broke again is not announced",
                with_status(Some(Status::Expired)), ordinary(), on(), "skip not_connected"),
            ("nor one with an unknown status", with_status(None), ordinary(), on(), "skip not_connected"),
            ("nor one that works for another person",
                RecoveredInput { is_person_mismatch: true, ..noticed() }, ordinary(), on(), "skip person_mismatch"),
            ("nor one announced since the last notice", announced(2), ordinary(), on(), "skip already_notified"),
            ("nor one announced at the moment of the last notice", announced(1), ordinary(), on(), "skip already_notified"),
            ("a later notice allows another announcement", announced(0), ordinary(), on(), "send recovery_notice"),
        ];
        for (sentence, lapse, recipient, policy, expected) in cases {
            let action = plan(&[lapse], &recipient, &policy).decisions[0].action;
            let when = if matches!(action, Action::Send { step: 0, .. }) { "send" } else { "skip" };
            assert_eq!(format!("{when} {}", action.reason().as_str()), expected, "{sentence}");
        }
    }

    #[test]
    fn simultaneous_recoveries_share_one_notice() {
        let named =
            |name: &str, notified_at| RecoveredInput { lapse_id: name.into(), notified_at, ..noticed() };
        let recovered = [named("a", Some(day(1))), named("b", None), named("c", Some(day(1)))];
        let policy = Policy { announces_recoveries: true, ..policy() };
        let items = due(&plan(&recovered, &ordinary(), &policy));
        let lapses: Vec<_> = items.iter().map(|item| item.lapse_id.as_str()).collect();
        assert_eq!(lapses, ["a", "c"]);
    }
}
