//! The way to write: units of work, each of which becomes durable as a whole or not at all.

use super::group_commit::GroupCommit;
use super::pool::Work;
use super::urgency::Urgency;
use crate::store::error::Result;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) enum Writer {
    Sqlite(GroupCommit),
}

impl Writer {
    pub(in crate::store) async fn begin(&self, urgency: Urgency) -> Result<Work> {
        match self {
            Self::Sqlite(writer) => Ok(Work::Sqlite(writer.begin(urgency).await?)),
        }
    }

    /// The writing connection, without a transaction.
    pub(in crate::store) async fn alone(&self) -> Result<Work> {
        match self {
            Self::Sqlite(writer) => Ok(Work::Sqlite(writer.alone().await?)),
        }
    }

    /// Waits for the units that have begun, then closes the connection.
    pub(in crate::store) async fn close(&self) {
        match self {
            Self::Sqlite(writer) => writer.close().await,
        }
    }
}
