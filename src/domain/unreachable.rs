//! Members whom nobody tells that a connection is broken.

use super::{NoticeReason, text_enum::string_enum};

/// Why a member with an open lapse gets no more email about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnreachableReason {
    /// The address must not receive email.
    Suppressed,
    /// The gateway refuses the member's credential, or there is none, so no link can be made.
    CredentialRejected,
    /// The mail server refused the email, or too many attempts failed.
    DeliveryAbandoned,
    /// The last reminder was sent.
    CadenceEnded,
    /// There is no way to repair the connection that the email could name.
    NotRepairable,
}

string_enum!(pub UnreachableReason {
    Suppressed = "suppressed",
    CredentialRejected = "credential_rejected",
    DeliveryAbandoned = "delivery_abandoned",
    CadenceEnded = "cadence_ended",
    NotRepairable = "not_repairable",
});

/// What decides whether somebody tells a member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reachability {
    pub(crate) is_suppressed: bool,
    pub(crate) has_credential_failure: bool,
    /// The latest decision about each open lapse. `None`: there is none, or it is about an earlier address.
    pub(crate) decisions: Vec<Option<NoticeReason>>,
}

impl Reachability {
    /// `None` without an open lapse, or while an email about one may still come.
    pub(crate) fn unreachable_because(&self) -> Option<UnreachableReason> {
        if self.decisions.is_empty() {
            return None;
        }
        if self.is_suppressed {
            return Some(UnreachableReason::Suppressed);
        }
        if self.has_credential_failure {
            return Some(UnreachableReason::CredentialRejected);
        }
        let mut reasons = Vec::with_capacity(self.decisions.len());
        for decision in &self.decisions {
            reasons.push(final_reason(*decision)?);
        }
        reasons.into_iter().next()
    }
}

fn final_reason(decision: Option<NoticeReason>) -> Option<UnreachableReason> {
    match decision? {
        NoticeReason::DeliveryAbandoned => Some(UnreachableReason::DeliveryAbandoned),
        NoticeReason::CadenceEnded => Some(UnreachableReason::CadenceEnded),
        NoticeReason::NotRepairable => Some(UnreachableReason::NotRepairable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn because(decisions: &[NoticeReason], is_suppressed: bool, has_credential_failure: bool) -> String {
        let decisions = decisions.iter().copied().map(Some).collect();
        let facts = Reachability { is_suppressed, has_credential_failure, decisions };
        facts.unreachable_because().map_or("reachable", UnreachableReason::as_str).to_owned()
    }

    #[test]
    fn a_member_is_unreachable_when_no_email_about_any_open_lapse_will_come() {
        use NoticeReason::{CadenceEnded, DeliveryAbandoned, MinGap, NotRepairable};
        #[rustfmt::skip]
        let cases = [
            ("nothing is broken", because(&[], true, true), "reachable"),
            ("an email waits", because(&[MinGap], false, false), "reachable"),
            ("one of two waits", because(&[CadenceEnded, MinGap], false, false), "reachable"),
            ("the last reminder was sent", because(&[CadenceEnded], false, false), "cadence_ended"),
            ("each has its reason", because(&[NotRepairable, CadenceEnded], false, false), "not_repairable"),
            ("the address was refused", because(&[DeliveryAbandoned], false, false), "delivery_abandoned"),
            ("the address is suppressed", because(&[MinGap], true, true), "suppressed"),
            ("the credential is refused", because(&[MinGap], false, true), "credential_rejected"),
        ];
        for (sentence, found, expected) in cases {
            assert_eq!(found, expected, "{sentence}");
        }
        let undecided = Reachability { decisions: vec![None], ..Reachability::default() };
        assert_eq!(undecided.unreachable_because(), None);
    }
}
