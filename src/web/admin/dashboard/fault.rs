//! Assigns each failure to the member, the source, the gateway, or the operator. Pure.

use crate::domain::{NoticeReason, Status, UnreachableReason};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Member,
    Source,
    Gateway,
    Ours,
}

impl Fault {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Member => "the member's",
            Self::Source => "the source's",
            Self::Gateway => "the gateway's",
            Self::Ours => "ours",
        }
    }
}

/// `None`: no failure.
pub(super) fn of_notice(reason: NoticeReason) -> Option<Fault> {
    use NoticeReason as R;
    match reason {
        R::Suppressed
        | R::CadenceEnded
        | R::PermanentFailure
        | R::Dismissed
        | R::DismissalUndone
        | R::Snoozed
        | R::SnoozeUndone => Some(Fault::Member),
        R::StatusNotActionable | R::NotConnected | R::PersonMismatch => Some(Fault::Source),
        R::ConnectionMissing
        | R::TokenUnavailable
        | R::SecondLookUnclear
        | R::OauthUrlUnavailable
        | R::OauthUrlRefused => Some(Fault::Gateway),
        R::NotRepairable
        | R::DeliveryAbandoned
        | R::RenderFailed
        | R::SmtpMisconfigured
        | R::MailServerBusy
        | R::MailServerUnreachable
        | R::ReceiverFailing
        | R::TransientFailure
        | R::OutcomeUnknown
        | R::Interrupted
        | R::AttemptsExhausted
        | R::NeverConfirmed
        | R::Paused
        | R::StatusDisabled
        | R::HeldByOperator
        | R::HeldByStorm => Some(Fault::Ours),
        R::FirstNotice
        | R::Reminder
        | R::Digest
        | R::Resumed
        | R::FirstAfter
        | R::MinGap
        | R::MonthCap
        | R::QuietHours
        | R::RecoveryNotice
        | R::Resend
        | R::Invitation
        | R::RetryRequested
        | R::AlreadyQueued
        | R::RecoveriesDisabled
        | R::NeverNotified
        | R::AlreadyNotified
        | R::Accepted
        | R::AddressChanged
        | R::Recovered
        | R::Removed
        | R::LapseClosed
        | R::InvitationWithdrawn
        | R::MemberRemoved
        | R::NoLongerNeeded => None,
    }
}

/// Only the operator can import another credential, or restore the keys.
pub(super) fn of_unreachable(reason: UnreachableReason) -> Fault {
    match reason {
        UnreachableReason::Suppressed | UnreachableReason::CadenceEnded => Fault::Member,
        UnreachableReason::CredentialRejected
        | UnreachableReason::DeliveryAbandoned
        | UnreachableReason::NotRepairable => Fault::Ours,
    }
}

/// `None`: it works, or is gone.
pub(super) fn of_status(status: &Status) -> Option<Fault> {
    match status {
        Status::Connected | Status::Deleted => None,
        Status::Expired | Status::Disconnected => Some(Fault::Member),
        Status::Error | Status::AccessEnded => Some(Fault::Source),
        Status::Unknown(_) => Some(Fault::Gateway),
    }
}

/// Of a code in `members list`, `sweeps`, or `events list`. `None`: no failure, or one that is unknown.
pub(super) fn of_code(code: &str) -> Option<Fault> {
    Some(match code {
        "gateway_error" | "throttled" | "list_turned_empty" | "no_response" => Fault::Gateway,
        "gateway_throttled" | "most_polls_failed" | "most_refreshes_refused" | "many_lists_empty" => {
            Fault::Gateway
        }
        "forbidden" => Fault::Member,
        "credential_refused" | "credential_missing" | "credential_locked" | "other_subject" => Fault::Ours,
        "rejected" | "missing" | "locked" => Fault::Ours,
        "refresh_busy" | "internal_error" | "unreachable" | "timed_out" | "interrupted" => Fault::Ours,
        code if code.starts_with("http_") => Fault::Ours,
        code => {
            let unreachable = code.parse::<UnreachableReason>().ok().map(of_unreachable);
            return unreachable.or_else(|| of_notice(code.parse().ok()?));
        }
    })
}

/// Like [`of_code`], in words, for a template.
pub(super) fn words(code: &str) -> Option<&'static str> {
    of_code(code).map(Fault::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CredentialState;

    #[test]
    fn every_failure_has_somebody_to_whom_it_belongs() {
        // The codes of members without a usable response, of sweeps that ended early, and of failed events.
        let codes = [
            "gateway_error",
            "throttled",
            "forbidden",
            "list_turned_empty",
            "credential_refused",
            "credential_missing",
            "credential_locked",
            "other_subject",
            "refresh_busy",
            "internal_error",
            "gateway_throttled",
            "most_polls_failed",
            "most_refreshes_refused",
            "many_lists_empty",
            "unreachable",
            "timed_out",
            "interrupted",
            "http_503",
            "no_response",
        ];
        let states = [CredentialState::Rejected, CredentialState::Missing, CredentialState::Locked];
        let unreachable = UnreachableReason::ALL.iter().map(|reason| reason.as_str());
        for code in codes.into_iter().chain(states.map(CredentialState::as_str)).chain(unreachable) {
            assert!(of_code(code).is_some(), "{code}");
        }
        // The reasons for which an attempt at a notice fails.
        for reason in [
            NoticeReason::TokenUnavailable,
            NoticeReason::OauthUrlRefused,
            NoticeReason::RenderFailed,
            NoticeReason::MailServerUnreachable,
            NoticeReason::PermanentFailure,
            NoticeReason::AttemptsExhausted,
            NoticeReason::NeverConfirmed,
        ] {
            assert!(of_code(reason.as_str()).is_some(), "{reason:?}");
        }
    }

    #[test]
    fn what_is_no_failure_belongs_to_nobody() {
        for code in ["accepted", "recovered", "first_after", "waiting_for_sweep", "an_unknown_code"] {
            assert_eq!(of_code(code), None, "{code}");
        }
        assert_eq!(of_status(&Status::Connected), None);
        assert_eq!(of_status(&Status::Expired).map(Fault::as_str), Some("the member's"));
        assert_eq!(of_status(&Status::Error), Some(Fault::Source));
    }
}
