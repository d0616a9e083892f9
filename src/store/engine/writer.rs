//! The way to write: units of work, each of which becomes durable as a whole or not at all.

use super::group_commit::GroupCommit;
use super::pool::Work;
use super::postgres::Server;
use super::urgency::Urgency;
use crate::base::telemetry::metrics::WaitingWrite;
use crate::store::error::Result;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) enum Writer {
    Sqlite(GroupCommit),
    /// Each unit has a connection and a transaction of its own.
    Postgres(Server),
}

impl Writer {
    pub(in crate::store) async fn begin(&self, urgency: Urgency) -> Result<Work> {
        let _waiting = WaitingWrite::begin();
        match self {
            Self::Sqlite(writer) => Ok(Work::Sqlite(writer.begin(urgency).await?)),
            Self::Postgres(server) => Ok(Work::Postgres(server.begin(urgency).await?)),
        }
    }

    /// `None` for a database file.
    pub(in crate::store) fn server(&self) -> Option<&Server> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(server) => Some(server),
        }
    }

    /// Waits for the units that have begun, then closes the connection.
    pub(in crate::store) async fn close(&self) {
        match self {
            Self::Sqlite(writer) => writer.close().await,
            Self::Postgres(server) => server.close().await,
        }
    }
}
