//! What happened to a member's connections, and to the emails about them.

use super::text_enum::string_enum;
use super::{
    ChangeReason, ConnectionId, HoldKind, HoldScope, MemberId, NoticeId, NoticeKind, NoticeReason, Outcome,
    Status, Suppression, Time,
};

/// What a recorded decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecisionSubject {
    /// The member chose something about a lapse.
    Lapse,
    /// Whether and when an email goes out.
    Notice,
}

string_enum!(pub(crate) DecisionSubject { Lapse = "lapse", Notice = "notice" });

/// The kind of an entry, in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HistoryKind {
    Credential,
    Suppression,
    /// A hold, a pause, or the removal of the member.
    Hold,
    Transition,
    Lapse,
    Notice,
    Delivery,
    Link,
}

string_enum!(pub(crate) HistoryKind {
    Credential = "credential",
    Suppression = "suppression",
    Hold = "hold",
    Transition = "transition",
    Lapse = "lapse",
    Notice = "notice",
    Delivery = "delivery",
    Link = "link",
});

/// The codes of entries that no other enum has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryCode {
    /// The lapse opened in the sweep under way. Email about it is decided when the sweep has ended.
    WaitingForSweep,
    /// A delivery is under way.
    Sending,
    /// A person opened a link.
    Opened,
    /// The button of a link was pressed.
    Redeemed,
    /// The operator revoked a link.
    Revoked,
}

string_enum!(pub(crate) HistoryCode {
    WaitingForSweep = "waiting_for_sweep",
    Sending = "sending",
    Opened = "opened",
    Redeemed = "redeemed",
    Revoked = "revoked",
});

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistoryEntry {
    pub(crate) at: Time,
    /// When it last happened in the same way.
    pub(crate) last_at: Time,
    /// How often it happened in a row.
    pub(crate) count: u64,
    pub(crate) member_id: MemberId,
    /// `None`: it is about several connections, or about none.
    pub(crate) connection_id: Option<ConnectionId>,
    pub(crate) notice_id: Option<NoticeId>,
    /// The code.
    pub(crate) reason: String,
    pub(crate) event: Event,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `reason`: `None` when this version does not know the code.
    Transition {
        from: Option<Status>,
        to: Status,
        reason: Option<ChangeReason>,
    },
    Lapse(LapseEvent),
    /// `reason`: `None` when this version does not know the code.
    Decision {
        subject: DecisionSubject,
        reason: Option<NoticeReason>,
        not_before: Option<Time>,
    },
    Delivery {
        kind: NoticeKind,
        step: u32,
        is_resend: bool,
        /// The member's connections in the email.
        connections: u64,
        /// `None`: it is under way.
        outcome: Option<String>,
        reason: Option<NoticeReason>,
    },
    LinkOpened,
    LinkRevoked,
    Redeemed,
    Hold {
        kind: HoldKind,
        scope: HoldScope,
        until: Option<Time>,
        ended_at: Option<Time>,
    },
    Paused,
    Removed,
    Suppressed(Suppression),
    /// `state`: `rejected` or `missing`.
    CredentialFailed {
        state: String,
    },
}

/// What happened to a lapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LapseEvent {
    Suspected {
        is_confirmed: bool,
    },
    Opened,
    /// It broke again within `sweep.flap_window`.
    Resumed {
        is_confirmed: bool,
    },
    WaitsForSweep,
    Closed {
        outcome: Outcome,
        is_by_member: bool,
        /// How many emails were sent about it.
        emails: u64,
        /// Whether its first email still waited for `first_after`.
        was_in_patience: bool,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> HistoryKind {
        match self {
            Self::Transition { .. } => HistoryKind::Transition,
            Self::Lapse(_) | Self::Decision { subject: DecisionSubject::Lapse, .. } => HistoryKind::Lapse,
            Self::Decision { subject: DecisionSubject::Notice, .. } => HistoryKind::Notice,
            Self::Delivery { .. } => HistoryKind::Delivery,
            Self::LinkOpened | Self::LinkRevoked | Self::Redeemed => HistoryKind::Link,
            Self::Hold { .. } | Self::Paused | Self::Removed => HistoryKind::Hold,
            Self::Suppressed(_) => HistoryKind::Suppression,
            Self::CredentialFailed { .. } => HistoryKind::Credential,
        }
    }
}
