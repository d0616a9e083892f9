//! The span in which a connection needs its member.

use super::text_enum::string_enum;
use super::{ConnectionId, LapseId, MemberId, Time};

/// Where a lapse stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LapseState {
    /// Seen, not confirmed yet.
    Suspected,
    /// Confirmed: the member is needed.
    Open,
    /// Over.
    Closed,
}

/// How a lapse ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The gateway said CONNECTED.
    Recovered,
    /// The connection, or the member, is gone.
    Removed,
    /// The member said it was on purpose.
    Dismissed,
}

/// An operator's act that ends a connection on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectKind {
    /// The gateway keeps the row as DISCONNECTED.
    Disconnect,
    /// The gateway deletes the row and its data, which takes a while.
    Delete,
}

string_enum!(pub DisconnectKind { Disconnect = "disconnect", Delete = "delete" });
string_enum!(pub LapseState { Suspected = "suspected", Open = "open", Closed = "closed" });
string_enum!(pub Outcome { Recovered = "recovered", Removed = "removed", Dismissed = "dismissed" });

/// One lapse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// Its id; with a step it names what a notice says.
    pub id: LapseId,
    /// Whose connection.
    pub member_id: MemberId,
    /// Which connection.
    pub connection_id: ConnectionId,
    /// Where it stands.
    pub state: LapseState,
    /// How it ended, when it is closed.
    pub outcome: Option<Outcome>,
    /// When the connection was first seen broken (of the present break, when it was resumed).
    pub suspected_at: Time,
    /// How many answers in a row have shown it broken.
    pub consecutive_observations: u32,
    /// When it was confirmed; kept when it closes or is resumed.
    pub opened_at: Option<Time>,
    /// When it ended, if it has.
    pub closed_at: Option<Time>,
    /// The operator's act that dismissed it, until the gateway's list has shown its effect once.
    pub disconnect_intent: Option<DisconnectKind>,
}
