//! A change of a connection's status, as observed.

use super::{ConnectionId, MemberId, Status, Time, TransitionId};

/// Why we asked the gateway when a change was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A scheduled pass.
    Sweep,
    /// An early poll of one member.
    Recheck,
    /// The look before a notice is sent.
    SecondLook,
    /// An operator's command.
    Operator,
}

impl Cause {
    /// The spelling in the database and in reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Recheck => "recheck",
            Self::SecondLook => "second_look",
            Self::Operator => "operator",
        }
    }
}

/// One recorded change. Append-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Its own id, ordered by time.
    pub(crate) id: TransitionId,
    /// Whose connection.
    pub(crate) member_id: MemberId,
    /// Which connection.
    pub connection_id: ConnectionId,
    /// What it was; `None` at first sight.
    pub from: Option<Status>,
    /// What it became; DELETED when the row missing_from_list from the list.
    pub to: Status,
    /// When we saw it, by our clock.
    pub(crate) observed_at: Time,
}
