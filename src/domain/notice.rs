//! One mail to one member about one or more lapses.

use super::{ConnectionId, LapseId, MemberId, NoticeId, Time, lapse::string_enum};

/// Where a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeState {
    /// Planned; waits for its time or for the next attempt.
    Queued,
    /// Claimed by a delivery that runs now.
    Sending,
    /// Accepted by the mail server.
    Sent,
    /// Waits for a human or for a hold to end.
    Held,
    /// Given up.
    Abandoned,
    /// No longer needed.
    Cancelled,
}

string_enum!(NoticeState {
    Queued = "queued",
    Sending = "sending",
    Sent = "sent",
    Held = "held",
    Abandoned = "abandoned",
    Cancelled = "cancelled",
});

/// What a notice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// To have connections repaired.
    Reconnect,
    /// To have a source connected that an operator asked for.
    Invited,
    /// To say that connections work again.
    Recovered,
}

string_enum!(NoticeKind { Reconnect = "reconnect", Invited = "invited", Recovered = "recovered" });

/// What a notice says of one lapse. The pair (lapse, step) is planned once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeItem {
    /// The lapse it is about.
    pub(crate) lapse_id: LapseId,
    /// The connection that lapsed.
    pub(crate) connection_id: ConnectionId,
    /// 0 for the first mail, then the number of the reminder.
    pub(crate) step: u32,
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id; the Message-ID is made of it and stays the same for each attempt.
    pub id: NoticeId,
    /// To whom.
    pub member_id: MemberId,
    /// What it is for.
    pub kind: NoticeKind,
    /// The lowest step among its items: a mail that tells of anything new is a first mail.
    pub step: u32,
    /// Where it stands.
    pub state: NoticeState,
    /// How many attempts were begun.
    pub attempts: u32,
    /// What it is about.
    pub items: Vec<NoticeItem>,
    /// When the mail server accepted it.
    pub(crate) sent_at: Option<Time>,
}
