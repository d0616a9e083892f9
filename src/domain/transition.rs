//! A change of a connection's status, as observed.

use super::{ConnectionId, MemberId, Status, Time, TransitionId};

/// The reason of the poll that observed a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    Sweep,
    Recheck,
    SecondLook,
    Operator,
}

impl Cause {
    /// The code in the database and in reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Recheck => "recheck",
            Self::SecondLook => "second_look",
            Self::Operator => "operator",
        }
    }
}

/// A recorded change of status. Append-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Ordered by time.
    pub id: TransitionId,
    pub member_id: MemberId,
    pub connection_id: ConnectionId,
    /// `None` on first observation.
    pub from: Option<Status>,
    /// DELETED also for a row that is confirmed to be missing.
    pub to: Status,
    pub observed_at: Time,
}
