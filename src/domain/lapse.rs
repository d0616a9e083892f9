//! A lapse: the period in which a connection needs action by its member.

use super::text_enum::string_enum;
use super::{ConnectionId, LapseId, MemberId, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LapseState {
    /// Observed, but not confirmed.
    Suspected,
    Open,
    Closed,
}

/// How a lapse ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The gateway reported CONNECTED.
    Recovered,
    /// The connection or the member was removed.
    Removed,
    /// The member disconnected on purpose.
    Dismissed,
}

/// An operator's request that ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectKind {
    /// The gateway keeps the row as DISCONNECTED.
    Disconnect,
    /// The gateway deletes the row and its data, which takes time.
    Delete,
}

string_enum!(pub DisconnectKind { Disconnect = "disconnect", Delete = "delete" });
string_enum!(pub LapseState { Suspected = "suspected", Open = "open", Closed = "closed" });
string_enum!(pub Outcome { Recovered = "recovered", Removed = "removed", Dismissed = "dismissed" });

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapse {
    pub id: LapseId,
    pub member_id: MemberId,
    pub connection_id: ConnectionId,
    pub state: LapseState,
    /// `None` while it is not closed.
    pub outcome: Option<Outcome>,
    /// The first observation of the latest break.
    pub suspected_at: Time,
    /// Consecutive responses that showed the break.
    pub consecutive_observations: u32,
    /// The first confirmation. Closing or resuming the lapse does not change it.
    pub opened_at: Option<Time>,
    pub closed_at: Option<Time>,
    /// The operator's request that dismissed it, until the gateway's list has shown the effect.
    pub disconnect_intent: Option<DisconnectKind>,
}
