//! The reason codes of notices: in `notices.reason`, in `attempts.reason`, in `decisions.reason`, and in reports.

use super::{Outcome, text_enum::string_enum};

/// Why a notice is sent, deferred, cancelled, or abandoned, or what its member chose about further ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeReason {
    // The planner sends or defers.
    FirstNotice,
    Reminder,
    /// The lapse would be due within `notices.digest_window`, and a notice goes out now.
    Digest,
    /// The lapse resumed after its last reminder: it gets one more notice, because its links no longer work.
    Resumed,
    /// The first notice waits for `first_after`, because the connection may recover by itself.
    FirstAfter,
    /// The member asked for a later reminder.
    Snoozed,
    /// The address received a notice less than `notices.min_gap` ago.
    MinGap,
    /// The address received `notices.max_per_month` emails within 30 days.
    MonthCap,
    /// It is night where the member is.
    QuietHours,
    HeldByOperator,
    HeldByStorm,
    /// The notice announces a recovery.
    RecoveryNotice,

    // Something else requests a notice.
    /// The member requested a new link.
    Resend,
    /// The operator invited the member to connect a source.
    Invitation,
    /// The operator ran `notices retry`.
    RetryRequested,

    // The planner skips.
    Paused,
    Suppressed,
    /// The last response left out the connection. Whether it is gone is not confirmed yet.
    ConnectionMissing,
    /// The connection is neither EXPIRED nor DISCONNECTED.
    StatusNotActionable,
    StatusDisabled,
    /// Only an app can repair the connection, and `notices.app_url` is empty.
    NotRepairable,
    AlreadyQueued,
    DeliveryAbandoned,
    CadenceEnded,
    RecoveriesDisabled,
    NotConnected,
    PersonMismatch,
    /// No notice about the lapse was sent, so its recovery is not announced.
    NeverNotified,
    /// The recovery was announced since the last notice about the lapse.
    AlreadyNotified,

    // Delivery sends.
    Accepted,

    // Delivery defers or retries.
    TokenUnavailable,
    SecondLookUnclear,
    /// The gateway gave no OAuth URL for a reason that can pass.
    OauthUrlUnavailable,
    /// The gateway refused the OAuth URL, or gave one for a host that is not allowed.
    OauthUrlRefused,
    RenderFailed,
    /// The mail server refuses the login, the client's name, or the sender.
    SmtpMisconfigured,
    /// The member's address changed during the attempt.
    AddressChanged,
    /// The mail server refuses sessions, or rejects every recipient for the moment.
    MailServerBusy,
    MailServerUnreachable,
    /// Under channel `webhook`: the receiver of events confirms nothing.
    ReceiverFailing,
    /// SMTP 4yz, or a 5yz that may concern the sender.
    TransientFailure,
    /// The connection broke after the message was handed over: the server may have accepted it.
    OutcomeUnknown,
    /// The process ended, or the lease expired, during the attempt.
    Interrupted,

    // A member's choice on the page about a lapse, beside `snoozed` and `dismissed`.
    DismissalUndone,
    SnoozeUndone,

    // A closed lapse, or a withdrawn invitation, cancels what is queued.
    Recovered,
    /// The connection was removed.
    Removed,
    Dismissed,
    /// The lapse was closed without an outcome.
    LapseClosed,
    InvitationWithdrawn,

    // Delivery cancels or abandons.
    MemberRemoved,
    NoLongerNeeded,
    /// SMTP 5yz.
    PermanentFailure,
    AttemptsExhausted,
    /// The outcome of too many attempts is unknown; each may have delivered the email.
    NeverConfirmed,
}

string_enum!(pub NoticeReason {
    FirstNotice = "first_notice",
    Reminder = "reminder",
    Digest = "digest",
    Resumed = "resumed",
    FirstAfter = "first_after",
    Snoozed = "snoozed",
    MinGap = "min_gap",
    MonthCap = "month_cap",
    QuietHours = "quiet_hours",
    HeldByOperator = "held_by_operator",
    HeldByStorm = "held_by_storm",
    RecoveryNotice = "recovery_notice",
    Resend = "resend",
    Invitation = "invitation",
    RetryRequested = "retry_requested",
    Paused = "paused",
    Suppressed = "suppressed",
    ConnectionMissing = "connection_missing",
    StatusNotActionable = "status_not_actionable",
    StatusDisabled = "status_disabled",
    NotRepairable = "not_repairable",
    AlreadyQueued = "already_queued",
    DeliveryAbandoned = "delivery_abandoned",
    CadenceEnded = "cadence_ended",
    RecoveriesDisabled = "recoveries_disabled",
    NotConnected = "not_connected",
    PersonMismatch = "person_mismatch",
    NeverNotified = "never_notified",
    AlreadyNotified = "already_notified",
    Accepted = "accepted",
    TokenUnavailable = "token_unavailable",
    SecondLookUnclear = "second_look_unclear",
    OauthUrlUnavailable = "oauth_url_unavailable",
    OauthUrlRefused = "oauth_url_refused",
    RenderFailed = "render_failed",
    SmtpMisconfigured = "smtp_misconfigured",
    AddressChanged = "address_changed",
    MailServerBusy = "mail_server_busy",
    MailServerUnreachable = "mail_server_unreachable",
    ReceiverFailing = "receiver_failing",
    TransientFailure = "transient_failure",
    OutcomeUnknown = "outcome_unknown",
    Interrupted = "interrupted",
    DismissalUndone = "dismissal_undone",
    SnoozeUndone = "snooze_undone",
    Recovered = "recovered",
    Removed = "removed",
    Dismissed = "dismissed",
    LapseClosed = "lapse_closed",
    InvitationWithdrawn = "invitation_withdrawn",
    MemberRemoved = "member_removed",
    NoLongerNeeded = "no_longer_needed",
    PermanentFailure = "permanent_failure",
    AttemptsExhausted = "attempts_exhausted",
    NeverConfirmed = "never_confirmed",
});

impl NoticeReason {
    /// Why a closed lapse cancels its queued notices.
    pub(crate) fn for_closed_lapse(outcome: Option<Outcome>) -> Self {
        match outcome {
            Some(Outcome::Recovered) => Self::Recovered,
            Some(Outcome::Removed) => Self::Removed,
            Some(Outcome::Dismissed) => Self::Dismissed,
            None => Self::LapseClosed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_lapse_cancels_its_notices_with_the_code_of_its_outcome() {
        for outcome in [Outcome::Recovered, Outcome::Removed, Outcome::Dismissed] {
            assert_eq!(NoticeReason::for_closed_lapse(Some(outcome)).as_str(), outcome.as_str());
        }
    }
}
