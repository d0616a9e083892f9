//! Why a database cannot be copied.

#[derive(Clone, Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{path} is the configured database itself; name another file or database")]
    SameDatabase { path: String },
    #[error("{path} is not empty: its table {table} has rows; name a new file, or create an empty database")]
    NotEmpty { path: String, table: String },
    #[error(
        "the databases have different tables: {difference}; another version of reconnectd has changed one of them"
    )]
    DifferentTables { difference: String },
    #[error(
        "a daemon (instance {instance}) uses {path}; stop it first, and wait 15 seconds if it was killed"
    )]
    InUse { path: String, instance: String },
    /// The schema has something that no migration has used so far.
    #[error("{what} cannot be copied by this version")]
    Unsupported { what: String },
    #[error("{column} has a value that the copy cannot hold: {value}")]
    Value { column: String, value: String },
    #[error("cannot write the rows of table {table}: {reason}")]
    Write { table: String, reason: String },
    /// The copy has other rows than the source.
    #[error(
        "the copy of table {table} differs from the original; nothing was changed in the original, and no daemon starts \
         on the copy"
    )]
    Differs { table: String },
    /// The operator stopped it.
    #[error("stopped; nothing was changed in the original, and no daemon starts on the incomplete copy")]
    Stopped,
    /// Both databases are marked.
    #[error(
        "everything is copied, but the mark of the incomplete copy could not be removed ({reason}); run `reconnectd \
         database reopen`, and copy again into an empty database"
    )]
    NotReleased { reason: String },
}

impl CopyError {
    /// Whether the operator must name another database.
    pub(crate) fn is_about_target(&self) -> bool {
        matches!(self, Self::SameDatabase { .. } | Self::NotEmpty { .. })
    }
}
