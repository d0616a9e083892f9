//! Connections and transactions.

use crate::store::error::Result;
use sqlx::{Sqlite, SqlitePool, Transaction};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) enum Pool {
    Sqlite(SqlitePool),
}

/// A transaction that can write. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub(in crate::store) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
}

impl Pool {
    /// Begins a transaction. It waits for the write lock of SQLite now, because SQLite cannot wait for it later.
    pub(in crate::store) async fn begin(&self) -> Result<Tx> {
        match self {
            Self::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
        }
    }

    /// Waits for running statements, then closes all connections.
    pub(in crate::store) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub(in crate::store) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => Ok(tx.commit().await?),
        }
    }
}
