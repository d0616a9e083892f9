//! Opens the database, with its settings and migrations.

use super::sqlite::{ACQUIRE_TIMEOUT, Store};
use super::{Result, StoreError, suppressions, sweeps};
use crate::base::config::DatabaseUrl;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a writer waits for another process, such as a backup tool.
const BUSY: Duration = Duration::from_secs(60);
const READERS: u32 = 4;

impl Store {
    /// Opens the database, creates it if needed, and applies the migrations.
    ///
    /// # Errors
    /// The folder is missing or not writable, the file is not a database, or a newer version created it.
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        let path = url.path().to_owned();
        let base = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let writing = base
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "FAST");
        let cannot_open = |error: sqlx::Error| StoreError::Open {
            path: path.display().to_string(),
            reason: reason(&path, &error),
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(has_no_transaction(connection)))
            .connect_with(writing)
            .await
            .map_err(cannot_open)?;
        sqlx::migrate!().run(&writer).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => cannot_open(error),
            other => StoreError::Migration(other),
        })?;
        suppressions::backfill_address_hashes(&writer).await?;
        sweeps::fill_poll_keys(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(base.read_only(true))
            .await
            .map_err(cannot_open)?;
        Ok(Self {
            writer,
            reader,
            path,
            instance: Arc::default(),
            interactive: false,
            background_turn: Arc::default(),
        })
    }
}

/// Whether the pool can use the connection again. On a full disk, SQLite rolls a transaction back by itself. The ROLLBACK of
/// sqlx then fails, and the connection counts as in a transaction for good.
async fn has_no_transaction(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // The rollback of a dropped transaction is still in the connection's queue.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn reason(path: &Path, error: &sqlx::Error) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        format!("the folder {} does not exist; create it", folder.display())
    } else if path.is_dir() {
        "it is a folder; name a file in it".into()
    } else {
        format!("{error}; this user must be able to write the file and its folder")
    }
}
