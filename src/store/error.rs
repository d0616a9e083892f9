//! Errors of the store. Each includes the text of its cause, and therefore has no source that would repeat it.

use super::backup_error::BackupError;
use super::copy_error::CopyError;
use super::failure::Failure;
use crate::base::batches::{Aborted, BatchError};
use crate::domain::Time;
use sqlx::migrate::MigrateError;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no database file, and the command creates none.
    #[error(
        "database.url: there is no database at {path}; correct database.url, or create one with `reconnectd run` or \
         `reconnectd members import`"
    )]
    Missing { path: String },
    /// The database file cannot be opened or created. `reason` says what to do.
    #[error("database.url: cannot open {path}: {reason}")]
    Open { path: String, reason: String },
    /// The server of the database does not answer.
    #[error("database.url: cannot reach {path}: {reason}")]
    Unreachable { path: String, reason: String },
    #[error(
        "database.url: {path} is not a database; name reconnectd's file, or move this one away to start with an empty \
         database"
    )]
    NotADatabase { path: String },
    #[error("database.url: {path} is the database of another program; name reconnectd's file")]
    OtherProgram { path: String },
    #[error("the database is damaged ({0}); stop reconnectd, keep a copy of its files, and restore a backup")]
    Damaged(String),
    /// Nothing that is written to the open file can be found anymore.
    #[error(
        "the database file {path} was deleted or replaced by another one while it was in use; start again"
    )]
    FileReplaced { path: String },
    /// `migration` is the newest change that this version does not know.
    #[error(
        "database.url: a newer version of reconnectd has changed {path} (migration {migration}); run that version, or \
         restore a backup from before the upgrade"
    )]
    Newer { path: String, migration: i64 },
    /// Another daemon uses this database. `holder` is its process id.
    #[error(
        "another reconnectd (process {holder}) uses {path}; stop it first, or give this one its own database"
    )]
    Locked { path: String, holder: String },
    /// The database was copied to another one, which goes on in its place.
    #[error(
        "database.url: {path} was copied to {other} on {}; set database.url to the copy, or run `reconnectd database \
         reopen` to use this database again",
        at.format("%F at %T UTC")
    )]
    Copied { path: String, other: String, at: Time },
    /// A copy that fills the database runs, or did not end. `remedy` says how to get rid of the database.
    #[error(
        "database.url: {path} is an incomplete copy of {other}, begun on {}; if no copy is running, {remedy}, and copy again",
        at.format("%F at %T UTC")
    )]
    IncompleteCopy { path: String, other: String, at: Time, remedy: &'static str },
    /// Another process imports members. `holder` is its process id.
    #[error("another import (process {holder}) is running; wait until it ends")]
    Importing { holder: String },
    /// Another process rotates the keys. `holder` is its process id.
    #[error("another rotation of the keys (process {holder}) is running; wait until it ends")]
    Rotating { holder: String },
    #[error("the database's tables do not fit this version: {0}")]
    Migration(MigrateError),
    #[error("column {column} holds {value:?}, which this version does not know")]
    Value { column: &'static str, value: String },
    /// A row that this version cannot read. `row` is its key.
    #[error("{table}: cannot read the row of {row}: {what}")]
    Row { table: &'static str, row: String, what: &'static str },
    /// Other writers held the write lock for longer than a person waits. Nothing was written.
    #[error("database: other writers have held the lock for too long")]
    Busy,
    /// The code that decides or writes panicked. Nothing was written.
    #[error("the task that writes has ended: {0}")]
    Aborted(String),
    /// The transaction failed because of another write in it. Nothing was written.
    #[error("database: the transaction was rolled back because of another write")]
    RolledBack,
    /// The connection was lost while the server committed: it may have, or may not.
    #[error("database: the connection was lost during a commit")]
    Uncertain,
    /// What was to be written is sealed with a key that was rotated out. Nothing was written.
    #[error("key {key} was rotated out of the database meanwhile; try again with the key ring as it is now")]
    KeyRetired { key: String },
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("database: {0}")]
    Database(Arc<sqlx::Error>),
}

impl StoreError {
    /// Whether an operator has to change the configuration or the file before a retry can succeed.
    pub(crate) fn is_unusable_file(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Open { .. }
                | Self::NotADatabase { .. }
                | Self::OtherProgram { .. }
                | Self::Damaged(_)
                | Self::Newer { .. }
                | Self::Migration(_)
                | Self::Copied { .. }
                | Self::IncompleteCopy { .. }
        ) || matches!(self, Self::Copy(error) if error.is_about_target())
            || matches!(self, Self::Backup(error) if error.is_about_file())
    }

    /// Whether other writes fail, too, until the database is mended: its disk is full, or a right was taken away, for example.
    pub(crate) fn concerns_other_writes(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Database(error) => matches!(
                Failure::of(error),
                Failure::Full | Failure::ReadOnly | Failure::Io | Failure::CannotOpen | Failure::Denied
            ),
            _ => false,
        }
    }

    /// Whether the same unit of work may succeed at once. Nothing was written.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::RolledBack => true,
            Self::Database(error) => {
                matches!(Failure::of(error), Failure::Conflict | Failure::ConnectionLost)
            }
            _ => false,
        }
    }

    /// Whether the cause is a stored row. The same work on other rows may succeed.
    pub(crate) fn is_about_a_row(&self) -> bool {
        match self {
            Self::Value { .. } | Self::Row { .. } => true,
            Self::Database(error) => match &**error {
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
                sqlx::Error::Database(error) => {
                    error.is_unique_violation()
                        || error.is_foreign_key_violation()
                        || error.is_check_violation()
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// The reason code in `/readyz` and in logs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::Open { .. } => "database_cannot_open",
            Self::NotADatabase { .. } | Self::OtherProgram { .. } | Self::Damaged(_) => "database_damaged",
            Self::FileReplaced { .. } => "database_file_replaced",
            Self::Locked { .. } | Self::Importing { .. } | Self::Rotating { .. } | Self::Busy => {
                "database_locked"
            }
            Self::Newer { .. } | Self::Migration(_) => "database_schema",
            Self::Copied { .. } | Self::IncompleteCopy { .. } | Self::Copy(_) => "database_copied",
            Self::Value { .. } | Self::Row { .. } => "database_value",
            Self::Backup(_) => "database_backup",
            Self::Aborted(_) => "internal_error",
            Self::KeyRetired { .. } => "key_retired",
            Self::RolledBack => "database_failed",
            Self::Unreachable { .. } | Self::Uncertain => "database_unreachable",
            Self::Database(error) => Failure::of(error).code(),
        }
    }
}

impl BatchError for StoreError {
    fn concerns_all(&self) -> bool {
        !matches!(self.code(), "database_value" | "database_failed" | "internal_error")
    }
}

impl From<Aborted> for StoreError {
    fn from(error: Aborted) -> Self {
        Self::Aborted(error.to_string())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<sqlx::Error>> for StoreError {
    fn from(error: Arc<sqlx::Error>) -> Self {
        match Failure::of(&error) {
            Failure::Damaged | Failure::NotADatabase => Self::Damaged(error.to_string()),
            Failure::RowLocked => Self::Busy,
            _ => Self::Database(error),
        }
    }
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    /// What SQLite says about a statement.
    async fn refused(statement: &'static str) -> StoreError {
        let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let tables = "CREATE TABLE t (id INTEGER UNIQUE, positive INTEGER CHECK (positive > 0), parent INTEGER REFERENCES t (id));
            INSERT INTO t (id) VALUES (1); PRAGMA foreign_keys = ON";
        sqlx::raw_sql(tables).execute(&mut database).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut database).await.unwrap_err().into()
    }

    #[tokio::test]
    async fn an_error_says_what_else_fails_for_the_same_reason() {
        const OTHER_WRITES: &str = "other writes";
        const OTHER_ITEMS: &str = "other items";
        const ITS_ROW: &str = "its row";
        let decode = sqlx::Error::Decode("no number".into());
        let column = sqlx::Error::ColumnDecode { index: "at".into(), source: "no number".into() };
        let nowhere = SqliteConnection::connect("sqlite:///nowhere/at/all.db").await.unwrap_err();
        let row = StoreError::Row { table: "events", row: "e".into(), what: "its data" };
        for (error, expected) in [
            (StoreError::Damaged("a page".into()), &[OTHER_WRITES, OTHER_ITEMS][..]),
            (refused("PRAGMA max_page_count = 1; CREATE TABLE u (id)").await, &[OTHER_WRITES, OTHER_ITEMS]),
            (refused("PRAGMA query_only = 1; DELETE FROM t").await, &[OTHER_WRITES, OTHER_ITEMS]),
            (nowhere.into(), &[OTHER_WRITES, OTHER_ITEMS]),
            (sqlx::Error::PoolTimedOut.into(), &[OTHER_ITEMS]),
            (sqlx::Error::PoolClosed.into(), &[OTHER_ITEMS]),
            (StoreError::Busy, &[OTHER_ITEMS]),
            (StoreError::Uncertain, &[OTHER_ITEMS]),
            (StoreError::KeyRetired { key: "k".into() }, &[OTHER_ITEMS]),
            (StoreError::RolledBack, &[]),
            (StoreError::Aborted("a panic".into()), &[]),
            (sqlx::Error::RowNotFound.into(), &[]),
            (StoreError::Value { column: "state", value: "new".into() }, &[ITS_ROW]),
            (row, &[ITS_ROW]),
            (decode.into(), &[ITS_ROW]),
            (column.into(), &[ITS_ROW]),
            (refused("INSERT INTO t (id) VALUES (1)").await, &[ITS_ROW]),
            (refused("INSERT INTO t (parent) VALUES (2)").await, &[ITS_ROW]),
            (refused("INSERT INTO t (positive) VALUES (0)").await, &[ITS_ROW]),
        ] {
            let concerned = [
                (error.concerns_other_writes(), OTHER_WRITES),
                (error.concerns_all(), OTHER_ITEMS),
                (error.is_about_a_row(), ITS_ROW),
            ];
            let concerned: Vec<_> =
                concerned.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
            assert_eq!(concerned, expected, "{error:?}");
        }
    }

    #[test]
    fn an_error_says_whether_the_operator_has_to_name_or_mend_a_file() {
        let text = String::new;
        let at = Time::UNIX_EPOCH;
        for error in [
            StoreError::Missing { path: text() },
            StoreError::Open { path: text(), reason: text() },
            StoreError::NotADatabase { path: text() },
            StoreError::OtherProgram { path: text() },
            StoreError::Damaged(text()),
            StoreError::Newer { path: text(), migration: 1 },
            StoreError::Migration(MigrateError::VersionMissing(1)),
            StoreError::Copied { path: text(), other: text(), at },
            StoreError::IncompleteCopy { path: text(), other: text(), at, remedy: "" },
            CopyError::SameDatabase { path: text() }.into(),
            CopyError::NotEmpty { path: text(), table: text() }.into(),
            BackupError::OnServer { path: text() }.into(),
            BackupError::IsDatabase { path: text() }.into(),
            BackupError::Exists { path: text() }.into(),
            BackupError::InTheWay { path: text() }.into(),
            BackupError::Unusable { path: text(), reason: text() }.into(),
            BackupError::Occupied { path: text() }.into(),
            BackupError::Leftover { path: text() }.into(),
        ] {
            assert!(error.is_unusable_file(), "{error:?}");
        }
        for error in [
            StoreError::Unreachable { path: text(), reason: text() },
            StoreError::FileReplaced { path: text() },
            StoreError::Locked { path: text(), holder: text() },
            StoreError::Importing { holder: text() },
            StoreError::Rotating { holder: text() },
            StoreError::Busy,
            StoreError::RolledBack,
            StoreError::Uncertain,
            sqlx::Error::PoolTimedOut.into(),
            CopyError::DifferentTables { difference: text() }.into(),
            CopyError::InUse { path: text(), instance: text() }.into(),
            CopyError::Unsupported { what: text() }.into(),
            CopyError::Value { column: text(), value: text() }.into(),
            CopyError::Write { table: text(), reason: text() }.into(),
            CopyError::Differs { table: text() }.into(),
            CopyError::Stopped.into(),
            CopyError::NotReleased { reason: text() }.into(),
            BackupError::InProgress { path: text() }.into(),
            BackupError::Unsound { defect: text() }.into(),
            BackupError::Stopped.into(),
            BackupError::Write { path: text(), reason: text() }.into(),
        ] {
            assert!(!error.is_unusable_file(), "{error:?}");
        }
    }
}
