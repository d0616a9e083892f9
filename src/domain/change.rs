//! What is known of a member's connections, and what an answer of the gateway's changes about it.

use super::{ConnectionId, Lapse, LapseId, Outcome, Status};

/// A connection as it was last recorded, with its newest lapse, live or closed, if it ever had one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub connection_id: ConnectionId,
    /// Its last recorded status: DELETED when it vanished from the list, `None` when the gateway never gave one.
    pub status: Option<Status>,
    /// Its newest lapse.
    pub lapse: Option<Lapse>,
}

/// What is to be written about one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub connection_id: ConnectionId,
    /// The change of its status, from and to.
    pub transition: Option<(Option<Status>, Status)>,
    /// What becomes of its lapse.
    pub lapse: LapseChange,
    /// Why, as a reason code.
    pub reason: &'static str,
}

/// What becomes of a connection's lapse. `confirmed` opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LapseChange {
    /// Nothing.
    Keep,
    /// A new one: the first sighting.
    Begin {
        /// Whether one sighting is enough.
        confirmed: bool,
    },
    /// A closed one goes on, its reminders included: the first sighting of the new break.
    Resume {
        /// Which.
        lapse: LapseId,
        /// Whether one sighting is enough.
        confirmed: bool,
    },
    /// One more sighting of a suspicion.
    Sight {
        /// Which.
        lapse: LapseId,
        /// Whether it is enough now.
        confirmed: bool,
    },
    /// A suspicion was not confirmed: a new lapse is dropped, a resumed one goes back to closed.
    Forget {
        /// Which.
        lapse: LapseId,
    },
    /// It is over.
    Close {
        /// Which.
        lapse: LapseId,
        /// How.
        outcome: Outcome,
    },
}
