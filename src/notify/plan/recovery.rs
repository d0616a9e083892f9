//! Whether to tell a member that connections which they were written about work again.
//!
//! Told at once or never: such news does not keep. So there is no gap to wait for, and what stands in its way today is
//! not made up for later.

use super::{Judged, Plan, Policy, Reason, Recipient, Verdict};
use crate::domain::{ConnectionId, LapseId, Status, Time};

/// A lapse that has just ended in recovery, and what was said of it.
#[derive(Clone, Debug)]
pub(crate) struct Recovered {
    /// Which lapse.
    pub(crate) lapse_id: LapseId,
    /// Of which connection.
    pub(crate) connection_id: ConnectionId,
    /// The connection's present status.
    pub(crate) status: Option<Status>,
    /// Whether it works for somebody else, as the gateway has it.
    pub(crate) person_mismatch: bool,
    /// When a notice about it was last sent.
    pub(crate) noticed_at: Option<Time>,
    /// When its recovery was last told of, or is going to be.
    pub(crate) told_at: Option<Time>,
}

/// Plans one notice about the lapses of one member that have just ended in recovery.
pub(crate) fn plan_recovered(recovered: &[Recovered], recipient: &Recipient, policy: &Policy) -> Plan {
    let judged = |lapse: &Recovered| Judged {
        lapse_id: lapse.lapse_id.clone(),
        connection_id: lapse.connection_id.clone(),
        verdict: match against(lapse, recipient, policy) {
            Some(reason) => Verdict::Never { reason },
            None => Verdict::Now { step: 0, reason: Reason::Recovered },
        },
    };
    Plan { verdicts: recovered.iter().map(judged).collect() }
}

/// What speaks against telling, if anything does.
fn against(lapse: &Recovered, recipient: &Recipient, policy: &Policy) -> Option<Reason> {
    let told_since = lapse.told_at.is_some() && lapse.told_at >= lapse.noticed_at;
    let gates = [
        (!policy.recovered, Reason::RecoveriesDisabled),
        (recipient.paused, Reason::MemberPaused),
        (recipient.suppressed, Reason::Suppressed),
        (lapse.status != Some(Status::Connected), Reason::NotConnected),
        (lapse.person_mismatch, Reason::PersonMismatch),
        (lapse.noticed_at.is_none(), Reason::NothingWasSaid),
        (told_since, Reason::ToldAlready),
    ];
    gates.into_iter().find_map(|(closed, reason)| closed.then_some(reason))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{day, nobody_special, policy};
    use super::*;

    fn noticed() -> Recovered {
        Recovered {
            lapse_id: "lapse".into(),
            connection_id: "epic".into(),
            status: Some(Status::Connected),
            person_mismatch: false,
            noticed_at: Some(day(1)),
            told_at: None,
        }
    }

    #[test]
    fn a_recovery_is_told_to_those_who_were_written_about_the_lapse_and_once() {
        let on = || Policy { recovered: true, ..policy() };
        let paused = Recipient { paused: true, ..nobody_special() };
        let suppressed = Recipient { suppressed: true, ..nobody_special() };
        let just_mailed = Recipient { last_notice_at: Some(day(1)), ..nobody_special() };
        let with_status = |status| Recovered { status, ..noticed() };
        let told = |on| Recovered { told_at: Some(day(on)), ..noticed() };
        let unsaid = || Recovered { noticed_at: None, ..noticed() };
        #[rustfmt::skip]
        let cases = [
            ("one who was written to is told", noticed(), nobody_special(), on(), "now recovered"),
            ("without regard to the gap", noticed(), just_mailed, on(), "now recovered"),
            ("not unless the operator wants it",
                noticed(), nobody_special(), policy(), "never recoveries_disabled"),
            ("nor when paused", noticed(), paused, on(), "never member_paused"),
            ("nor when they want no mail", noticed(), suppressed, on(), "never suppressed"),
            ("nor when nothing was said of the lapse", unsaid(), nobody_special(), on(), "never nothing_was_said"),
            ("nor of one that recovered before anything was said, however often",
                Recovered { told_at: Some(day(1)), ..unsaid() }, nobody_special(), on(), "never nothing_was_said"),
            ("nor when it is broken again",
                with_status(Some(Status::Expired)), nobody_special(), on(), "never not_connected"),
            ("nor when nobody knows how it stands", with_status(None), nobody_special(), on(), "never not_connected"),
            ("nor when it works for somebody else",
                Recovered { person_mismatch: true, ..noticed() }, nobody_special(), on(), "never person_mismatch"),
            ("nor when it was told since the last notice", told(2), nobody_special(), on(), "never told_already"),
            ("a notice since then makes it worth telling again", told(0), nobody_special(), on(), "now recovered"),
        ];
        for (sentence, lapse, recipient, policy, expected) in cases {
            let verdict = plan_recovered(&[lapse], &recipient, &policy).verdicts[0].verdict;
            let when = if matches!(verdict, Verdict::Now { step: 0, .. }) { "now" } else { "never" };
            assert_eq!(format!("{when} {}", verdict.reason().as_str()), expected, "{sentence}");
        }
    }

    #[test]
    fn recoveries_at_once_are_told_together() {
        let named = |name: &str, said| Recovered { lapse_id: name.into(), noticed_at: said, ..noticed() };
        let recovered = [named("a", Some(day(1))), named("b", None), named("c", Some(day(1)))];
        let policy = Policy { recovered: true, ..policy() };
        let items = plan_recovered(&recovered, &nobody_special(), &policy).items();
        let lapses: Vec<_> = items.iter().map(|item| item.lapse_id.as_str()).collect();
        assert_eq!(lapses, ["a", "c"]);
    }
}
