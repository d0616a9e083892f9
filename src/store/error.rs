//! Errors of the store.

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database file cannot be opened or created. `reason` says what to do.
    #[error("database.url: cannot open {path}: {reason}")]
    Open { path: String, reason: String },
    /// Another daemon uses this database. `holder` is its process id.
    #[error(
        "another reconnectd (process {holder}) uses {path}; stop it first, or give this one its own database"
    )]
    Locked { path: String, holder: String },
    /// Another process imports members. `holder` is its process id.
    #[error("another import (process {holder}) is running; wait until it ends")]
    Importing { holder: String },
    #[error("the database's tables do not fit this version: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("column {column} holds {value:?}, which this version does not know")]
    Value { column: &'static str, value: String },
    /// A row that this version cannot read. `row` is its key.
    #[error("{table}: cannot read the row of {row}: {what}")]
    Row { table: &'static str, row: String, what: &'static str },
    /// Other writers held the write lock for longer than a person waits. Nothing was written.
    #[error("database: other writers have held the lock for too long")]
    Busy,
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;
