//! Backups of a database file, and their restoration.
//!
//! `VACUUM INTO` reads one snapshot, which holds no writer up, and leaves out free pages. A file gets its name only when it
//! is complete, verified, and on the disk.

mod inspect;
mod partial;
mod progress;
mod restore;

pub use progress::BackupProgress;
pub use restore::{Restoration, Restored};

use super::backup_error::BackupError;
use super::failure::Failure;
use super::file_identity::FileIdentity;
use super::open_error::open_error;
use super::sqlite::Store;
use super::{Result, StoreError};
use crate::domain::{AuditAction, AuditEntry, Time};
use partial::PartialFile;
use progress::{Stage, Watch, watched};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A reader waits only for the recovery of the write-ahead log.
const BUSY: Duration = Duration::from_secs(60);

/// A complete backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Absolute.
    pub file: PathBuf,
    pub bytes: u64,
}

impl Store {
    /// Copies the database to a new file, and verifies the copy. Others can write to the database meanwhile.
    ///
    /// # Errors
    /// [`BackupError`], and whatever keeps the database from being used. Nothing is left at the target.
    pub async fn back_up(
        &self,
        target: &Path,
        now: Time,
        stop: &CancellationToken,
        watch: Watch<'_>,
    ) -> Result<Backup> {
        let Some(source) = self.place.file() else {
            return Err(BackupError::OnServer { path: self.location() }.into());
        };
        let cannot_write = |error: &dyn std::fmt::Display| BackupError::Write {
            path: target.display().to_string(),
            reason: error.to_string(),
        };
        let target = std::path::absolute(target).map_err(|error| cannot_write(&error))?;
        if let (Ok(source), Ok(found)) = (FileIdentity::of(source), FileIdentity::of(&target))
            && source == found
        {
            return Err(BackupError::IsDatabase { path: target.display().to_string() }.into());
        }
        let partial = PartialFile::create(&target)?;
        // The copy includes its own row.
        let name = target.display().to_string();
        self.record_audit(AuditEntry::new(AuditAction::Backup).target(name.as_str()), now).await?;
        self.copy_into(source, &partial, stop, &mut *watch).await?;
        verify_copy(&partial, stop, watch).await?;
        self.verify_file()?;
        if stop.is_cancelled() {
            return Err(BackupError::Stopped.into());
        }
        let bytes = partial.publish()?;
        Ok(Backup { file: target, bytes })
    }

    async fn copy_into(
        &self,
        source: &Path,
        partial: &PartialFile,
        stop: &CancellationToken,
        watch: Watch<'_>,
    ) -> Result<()> {
        let options = SqliteConnectOptions::new()
            .filename(source)
            .read_only(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| open_error(source, error))?;
        self.verify_file()?;
        let total: i64 = sqlx::query_scalar(
            "SELECT (page_count - freelist_count) * page_size
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
        .fetch_one(&mut connection)
        .await?;
        inspect::end_on(&mut connection, stop).await?;
        let name = partial.name()?;
        let copy = sqlx::query("VACUUM INTO $1").bind(name).execute(&mut connection);
        let copied = watched(copy, partial.path(), Stage::Copying, total.unsigned_abs(), watch).await;
        copied.map_err(|error| copy_error(error, partial, stop))?;
        connection.close().await?;
        Ok(())
    }
}

/// Reads the whole copy.
async fn verify_copy(partial: &PartialFile, stop: &CancellationToken, watch: Watch<'_>) -> Result<()> {
    let mut connection = inspect::connect(partial.path(), true).await?;
    inspect::end_on(&mut connection, stop).await?;
    let bytes = partial.bytes();
    let defect =
        watched(inspect::defect(&mut connection), partial.path(), Stage::Verifying, bytes, watch).await;
    let defect = defect.map_err(|error| copy_error(error, partial, stop))?;
    connection.close().await?;
    match defect {
        Some(defect) => Err(BackupError::Unsound { defect }.into()),
        None => Ok(()),
    }
}

fn copy_error(error: sqlx::Error, partial: &PartialFile, stop: &CancellationToken) -> StoreError {
    if stop.is_cancelled() {
        return BackupError::Stopped.into();
    }
    match Failure::of(&error) {
        Failure::Full => partial
            .cannot_write(&"there is no space left on its disk; free some, or name another disk")
            .into(),
        Failure::Io | Failure::CannotOpen | Failure::Denied | Failure::ReadOnly => {
            partial.cannot_write(&error).into()
        }
        _ => error.into(),
    }
}
