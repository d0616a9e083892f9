//! The reason codes of notices: in `notices.reason`, in `attempts.reason`, and in reports.

use super::text_enum::string_enum;

/// Why a notice is sent, deferred, cancelled, or abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeReason {
    // The planner sends or defers.
    FirstNotice,
    Reminder,
    /// The lapse would be due within `notices.digest_window`, and a notice goes out now.
    Digest,
    /// The lapse resumed after its last reminder: it gets one more notice, because its links no longer work.
    Resumed,
    /// The address received a notice less than `notices.min_gap` ago.
    MinGap,
    Recovered,

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
    MailServerBusy,
    MailServerUnreachable,
    /// SMTP 4yz, or a 5yz that may concern the sender.
    TransientFailure,
    /// The connection broke after the message was handed over: the server may have accepted it.
    OutcomeUnknown,
    /// The process ended, or the lease expired, during the attempt.
    Interrupted,

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
    MinGap = "min_gap",
    Recovered = "recovered",
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
    MailServerBusy = "mail_server_busy",
    MailServerUnreachable = "mail_server_unreachable",
    TransientFailure = "transient_failure",
    OutcomeUnknown = "outcome_unknown",
    Interrupted = "interrupted",
    MemberRemoved = "member_removed",
    NoLongerNeeded = "no_longer_needed",
    PermanentFailure = "permanent_failure",
    AttemptsExhausted = "attempts_exhausted",
    NeverConfirmed = "never_confirmed",
});
