//! What is peculiar to SQLite: opening, settings, the lock that keeps a second daemon out.

use super::{Result, StoreError};
use crate::base::config::DatabaseUrl;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a writer waits for another process: an import of a million members is one transaction.
const BUSY: Duration = Duration::from_secs(60);
/// Connections that only read.
const READERS: u32 = 4;

/// The domain of `members.email`, in lower case (of its ASCII letters).
pub(super) const DOMAIN: &str = "lower(substr(email, instr(email, '@') + 1))";

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) writer: SqlitePool,
    pub(super) reader: SqlitePool,
    path: PathBuf,
    /// Whether this process holds the [`InstanceLock`].
    instance: Arc<AtomicBool>,
}

impl Store {
    /// Opens the database that `url` (`sqlite://PATH`) names, making it and bringing its tables up to date.
    ///
    /// # Errors
    /// When the folder is missing or not writable, the file is not a database, or a newer version made it.
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
            .acquire_timeout(BUSY * 2)
            .test_before_acquire(false)
            .connect_with(writing)
            .await
            .map_err(cannot_open)?;
        sqlx::migrate!().run(&writer).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => cannot_open(error),
            other => StoreError::Migration(other),
        })?;
        super::suppressions::hash_addresses(&writer).await?;
        super::sweeps::fill_poll_keys(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(base.read_only(true))
            .await
            .map_err(cannot_open)?;
        Ok(Self { writer, reader, path, instance: Arc::default() })
    }

    /// Begins a transaction that may write, and waits its turn now rather than failing later.
    pub(super) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Where the database is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    /// Closes all connections, after what is under way.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Makes this process the only one that sweeps and delivers on this database.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another one does.
    pub fn lock(&self) -> Result<InstanceLock> {
        // By the file, not by one of the names that may lead to it.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut name = path.into_os_string();
        name.push(".lock");
        let name = PathBuf::from(name);
        let open = |error: std::io::Error| StoreError::Open {
            path: name.display().to_string(),
            reason: error.to_string(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name)
            .map_err(open)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The holder's id is a courtesy: without it the refusal stands all the same.
                let _ = file.read_to_string(&mut holder);
                return Err(StoreError::Locked {
                    path: self.path.display().to_string(),
                    holder: if holder.is_empty() { "unknown".into() } else { holder.trim().into() },
                });
            }
            Err(TryLockError::Error(error)) => return Err(open(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(open)?;
        self.instance.store(true, Ordering::SeqCst);
        Ok(InstanceLock { _file: file, instance: Arc::clone(&self.instance) })
    }

    /// Whether this process is the only one that sweeps and delivers on this database.
    pub(super) fn holds_instance_lock(&self) -> bool {
        self.instance.load(Ordering::SeqCst)
    }
}

/// Held for as long as this process works on the database. The system frees it however the process ends.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
    instance: Arc<AtomicBool>,
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        self.instance.store(false, Ordering::SeqCst);
    }
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
