//! Puts a backup in the place of the configured database.

use super::super::backup_error::BackupError;
use super::super::error::{Result, StoreError};
use super::super::file_identity::FileIdentity;
use super::super::holds::HoldRecord;
use super::super::locks::VacantPlace;
use super::super::sqlite::Store;
use super::inspect;
use super::partial::{BESIDE, PartialFile, is_taken, temporary_name, with_suffix};
use super::progress::{Stage, Watch, watched};
use crate::domain::{Actor, Time};
use sqlx::Connection;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

const CHUNK: usize = 1 << 20;

/// A verified copy of a backup, beside the place of the database. Dropped without [`Restoration::finish`], it is deleted.
#[derive(Debug)]
pub struct Restoration {
    store: Store,
    partial: PartialFile,
    place: PathBuf,
    from: PathBuf,
    _vacant: VacantPlace,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Absolute.
    pub from: PathBuf,
    /// Absolute.
    pub place: PathBuf,
    /// When the backup was made, or a little earlier. `None`: nothing in it tells.
    pub as_of: Option<Time>,
    /// The hold on all email.
    pub hold: HoldRecord,
}

impl Restoration {
    /// Copies and verifies a backup, and migrates the copy. The backup stays as it is.
    ///
    /// # Errors
    /// [`BackupError`], [`StoreError::Locked`]. Nothing is left behind.
    pub async fn begin(
        from: &Path,
        place: &Path,
        stop: &CancellationToken,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (from, place) = (absolute(from), absolute(place));
        verify_vacant(&place)?;
        verify_readable(&from, &place)?;
        let vacant = VacantPlace::lock(&place)?;
        // A daemon can have ended just now.
        verify_vacant(&place)?;
        let partial = PartialFile::create(&place).map_err(as_occupied)?;
        copy_files(&from, &partial, stop, &mut *watch).await?;
        verify(&from, &partial, stop, watch).await?;
        let store = Store::open_file(partial.path()).await?;
        if let Err(marked) = store.verify_takes_work().await {
            store.close().await;
            return Err(BackupError::unusable(&from, marked.to_string()).into());
        }
        Ok(Self { store, partial, place, from, _vacant: vacant })
    }

    /// The copy, before it is in place.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Deletes the copy.
    pub async fn discard(self) {
        self.store.close().await;
    }

    /// Puts everything that is queued under a hold, and the database in its place, unless somebody else has created one.
    ///
    /// # Errors
    /// Nothing is left behind.
    pub async fn finish(self, actor: Actor, now: Time) -> Result<Restored> {
        let Self { store, partial, place, from, _vacant } = self;
        let store = store.acting_as(actor);
        let as_of = store.newest_record().await;
        let held = store.hold_restored(&from.display().to_string(), now).await;
        // The last connection that closes moves the log into the file.
        store.close().await;
        let (as_of, hold) = (as_of?, held?);
        if BESIDE.iter().any(|suffix| is_taken(&with_suffix(partial.path(), suffix))) {
            return Err(partial
                .cannot_write(&"its write-ahead log could not be moved into it; try again")
                .into());
        }
        verify_vacant(&place)?;
        partial.publish().map_err(as_occupied)?;
        Ok(Restored { from, place, as_of, hold })
    }
}

fn verify_vacant(place: &Path) -> Result<()> {
    if is_taken(place) {
        return Err(BackupError::Occupied { path: place.display().to_string() }.into());
    }
    match BESIDE.iter().map(|suffix| with_suffix(place, suffix)).find(|file| is_taken(file)) {
        Some(file) => Err(BackupError::Leftover { path: file.display().to_string() }.into()),
        None => Ok(()),
    }
}

fn verify_readable(from: &Path, place: &Path) -> Result<()> {
    let opened = OpenOptions::new().read(true).open(from).and_then(|file| file.metadata());
    let found = opened.map_err(|error| BackupError::unusable(from, error.to_string()))?;
    if !found.is_file() {
        return Err(BackupError::unusable(from, "it is not a file").into());
    }
    // It would be deleted.
    if !FileIdentity::from(&found).is_gone_from(&temporary_name(place)) {
        let reason = "it is the unfinished copy of an earlier restore; name the backup itself";
        return Err(BackupError::unusable(from, reason).into());
    }
    Ok(())
}

fn as_occupied(error: BackupError) -> StoreError {
    match error {
        BackupError::Exists { path } => BackupError::Occupied { path }.into(),
        other => other.into(),
    }
}

/// Copies the file, and what SQLite left beside it, which a copy made by other means can need.
async fn copy_files(
    from: &Path,
    partial: &PartialFile,
    stop: &CancellationToken,
    watch: Watch<'_>,
) -> Result<()> {
    let total = fs::metadata(from).map_or(0, |file| file.len());
    let mut files = vec![(from.to_owned(), partial.path().to_owned())];
    // The third one holds no content.
    for suffix in &BESIDE[..2] {
        let beside = with_suffix(from, suffix);
        if beside.is_file() {
            files.push((beside, with_suffix(partial.path(), suffix)));
        }
    }
    let (stop, target) = (stop.clone(), partial.path().to_owned());
    let copying = tokio::task::spawn_blocking(move || {
        files.iter().try_for_each(|(from, to)| copy_file(from, to, &stop))
    });
    let copied = watched(copying, &target, Stage::Copying, total, watch).await;
    match copied {
        Ok(copied) => copied.map_err(|failure| match failure {
            CopyFailure::Read(file, error) => BackupError::unusable(&file, error.to_string()).into(),
            CopyFailure::Write(error) => partial.cannot_write(&error).into(),
            CopyFailure::Stopped => BackupError::Stopped.into(),
        }),
        Err(error) => Err(StoreError::Aborted(error.to_string())),
    }
}

enum CopyFailure {
    Read(PathBuf, io::Error),
    Write(io::Error),
    Stopped,
}

fn copy_file(from: &Path, to: &Path, stop: &CancellationToken) -> Result<(), CopyFailure> {
    let unreadable = |error| CopyFailure::Read(from.to_owned(), error);
    let mut source = File::open(from).map_err(unreadable)?;
    let mut target =
        OpenOptions::new().write(true).create(true).truncate(true).open(to).map_err(CopyFailure::Write)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        if stop.is_cancelled() {
            return Err(CopyFailure::Stopped);
        }
        let read = source.read(&mut chunk).map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        target.write_all(&chunk[..read]).map_err(CopyFailure::Write)?;
    }
}

async fn verify(
    from: &Path,
    partial: &PartialFile,
    stop: &CancellationToken,
    watch: Watch<'_>,
) -> Result<()> {
    let unusable = |reason: String| StoreError::from(BackupError::unusable(from, reason));
    let mut connection = inspect::connect(partial.path(), false).await?;
    inspect::verify_origin(&mut connection, from).await?;
    inspect::end_on(&mut connection, stop).await?;
    let bytes = partial.bytes();
    let defect =
        watched(inspect::defect(&mut connection), partial.path(), Stage::Verifying, bytes, watch).await;
    if stop.is_cancelled() {
        return Err(BackupError::Stopped.into());
    }
    if let Some(defect) = defect? {
        return Err(unusable(format!("it is damaged ({defect}); name another backup")));
    }
    Ok(connection.close().await?)
}
