//! One email to one address about one or more lapses.

use super::{ConnectionId, LapseId, MemberId, NoticeId, Time, text_enum::string_enum};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeState {
    /// Waits for its time or its next attempt.
    Queued,
    Sending,
    /// Accepted by the mail server.
    Sent,
    /// Waits for a hold to end.
    Held,
    Abandoned,
    Cancelled,
}

string_enum!(pub NoticeState {
    Queued = "queued",
    Sending = "sending",
    Sent = "sent",
    Held = "held",
    Abandoned = "abandoned",
    Cancelled = "cancelled",
});

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// Asks the member to reconnect.
    Reconnect,
    /// Invites the member to connect a source, for an operator.
    Invited,
    /// Announces a recovery.
    Recovered,
}

string_enum!(pub NoticeKind { Reconnect = "reconnect", Invited = "invited", Recovered = "recovered" });

/// One lapse in a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeItem {
    pub member_id: MemberId,
    pub lapse_id: LapseId,
    pub connection_id: ConnectionId,
    /// 0 for the first notice, then the number of the reminder.
    pub step: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The Message-ID is derived from it and stays the same for each attempt.
    pub id: NoticeId,
    /// The first by id, if several share the email.
    pub member_id: MemberId,
    pub kind: NoticeKind,
    /// The lowest step among the items.
    pub step: u32,
    pub state: NoticeState,
    /// The number of attempts started.
    pub attempts: u32,
    pub items: Vec<NoticeItem>,
    /// When the mail server accepted the email.
    pub(crate) sent_at: Option<Time>,
}
