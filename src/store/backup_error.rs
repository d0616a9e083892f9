//! Why a backup cannot be made or restored.

use std::path::Path;

#[derive(Clone, Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{path} is on a server, which has its own tools for backups")]
    OnServer { path: String },
    #[error("{path} is the configured database itself; name a new file")]
    IsDatabase { path: String },
    #[error("{path} exists already, and a backup never replaces a file; name a new one")]
    Exists { path: String },
    /// The new file cannot be created or written. `reason` says what to do.
    #[error("cannot write {path}: {reason}")]
    Write { path: String, reason: String },
    /// Another process writes to the temporary file.
    #[error("another command is writing {path}; wait until it ends")]
    InProgress { path: String },
    #[error("{path} is in the way: its name is for an unfinished copy, but it is no such file; move it away")]
    InTheWay { path: String },
    /// The copy is not what it should be. The database may be damaged.
    #[error(
        "the copy failed its verification and was deleted ({defect}); the database itself may be damaged: keep its files and \
         the earlier backups"
    )]
    Unsound { defect: String },
    #[error("stopped; nothing was left behind")]
    Stopped,
    /// The file to restore cannot be used.
    #[error("cannot restore {path}: {reason}")]
    Unusable { path: String, reason: String },
    #[error(
        "there is a database at {path}, and a restore never replaces one; stop reconnectd, move {path} away with its \
         -wal and -shm files, and restore again"
    )]
    Occupied { path: String },
    /// SQLite would read it as a part of the restored database.
    #[error("{path} belongs to a database that was here before; move it away, and restore again")]
    Leftover { path: String },
}

impl BackupError {
    /// Whether the operator must name another file, or move one away.
    pub(crate) fn is_about_file(&self) -> bool {
        !matches!(self, Self::InProgress { .. } | Self::Unsound { .. } | Self::Stopped | Self::Write { .. })
    }

    pub(super) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.display().to_string(), reason: reason.into() }
    }
}
