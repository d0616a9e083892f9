//! Failures of the store.

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database file cannot be opened or made.
    #[error("database.url: cannot open {path}: {reason}")]
    Open {
        /// The file.
        path: String,
        /// What to know and to do.
        reason: String,
    },
    /// Another daemon works on this database.
    #[error(
        "another reconnectd (process {holder}) is running on {path}; stop it first, or give this one its own database"
    )]
    Locked {
        /// The database.
        path: String,
        /// The other's process id, as it wrote it down.
        holder: String,
    },
    /// The database was made by another version.
    #[error("the database's tables do not fit this version: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A value that this version does not know.
    #[error("column {column} holds {value:?}, which this version does not know")]
    Value { column: &'static str, value: String },
    /// A row that this version cannot read.
    #[error("{table}: the row of {row} cannot be read: {what}")]
    Row {
        /// The table.
        table: &'static str,
        /// Its key.
        row: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Anything the database itself refuses.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;
