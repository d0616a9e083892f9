//! The result of an attempt at a delivery.

use crate::domain::{MemberId, NoticeItem, NoticeReason, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    Sent,
    /// A transient failure; the notice is retried.
    Retry,
    /// The attempt waits for the gateway, the mail server, or a credential. That does not count against the notice.
    Deferred,
    Abandoned,
    /// The connection broke before the server's final reply.
    Unknown,
    Cancelled,
    /// The process ended, or the lease expired.
    Interrupted,
}

impl AttemptOutcome {
    /// Whether the member may have received the email.
    pub(crate) fn may_have_arrived(self) -> bool {
        matches!(self, Self::Sent | Self::Unknown)
    }

    /// The code in the database, in reports, and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Deferred => "deferred",
            Self::Abandoned => "abandoned",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The result of an attempt.
#[derive(Clone, Debug)]
pub struct AttemptResult {
    pub outcome: AttemptOutcome,
    pub reason: NoticeReason,
    /// The redacted text of the error or of the server's reply.
    pub detail: Option<String>,
    /// The next attempt; `None` when there is none.
    pub retry_at: Option<Time>,
    /// The items in the email that was sent. The planner can plan the other items again.
    pub included: Vec<NoticeItem>,
    /// The members who were not ready for the email that was sent.
    pub left_out: Vec<(MemberId, NoticeReason)>,
}
