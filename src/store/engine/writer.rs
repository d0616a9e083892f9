//! The way to write: units of work, each of which becomes durable as a whole or not at all.

use super::group_commit::GroupCommit;
use super::pool::Work;
use super::postgres;
use super::urgency::Urgency;
use crate::store::error::Result;
use sqlx::PgPool;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) enum Writer {
    Sqlite(GroupCommit),
    /// Each unit has a connection and a transaction of its own.
    Postgres(PgPool),
}

impl Writer {
    pub(in crate::store) async fn begin(&self, urgency: Urgency) -> Result<Work> {
        match self {
            Self::Sqlite(writer) => Ok(Work::Sqlite(writer.begin(urgency).await?)),
            Self::Postgres(pool) => Ok(Work::Postgres(postgres::begin(pool, urgency).await?)),
        }
    }

    /// The writing connection of SQLite, without a transaction.
    pub(in crate::store) async fn alone(&self) -> Result<Work> {
        match self {
            Self::Sqlite(writer) => Ok(Work::Sqlite(writer.alone().await?)),
            Self::Postgres(pool) => Ok(Work::Postgres(postgres::begin(pool, Urgency::Background).await?)),
        }
    }

    /// The connections to a server; `None` for a database file.
    pub(in crate::store) fn server(&self) -> Option<&PgPool> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pool) => Some(pool),
        }
    }

    /// Waits for the units that have begun, then closes the connection.
    pub(in crate::store) async fn close(&self) {
        match self {
            Self::Sqlite(writer) => writer.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
