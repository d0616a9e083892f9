//! A file that gets its name only when it is complete.

use super::super::backup_error::BackupError;
use super::super::file_identity::FileIdentity;
use crate::base::private_files;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

const EXTENSION: &str = ".reconnectd-part";
/// How often a file is created at most.
const ATTEMPTS: u32 = 3;
/// What SQLite puts beside a database. The first two hold a part of its content.
pub(super) const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

type Result<T> = std::result::Result<T, BackupError>;

/// Under a temporary name, and locked. Dropped without [`PartialFile::publish`], it is deleted.
#[derive(Debug)]
pub(super) struct PartialFile {
    path: PathBuf,
    target: PathBuf,
    /// Holds the lock, which tells a process that runs from one that was killed.
    file: File,
}

impl PartialFile {
    /// Creates the file beside its target. Deletes those that killed processes have left in the folder.
    pub(super) fn create(target: &Path) -> Result<Self> {
        if is_taken(target) {
            return Err(BackupError::Exists { path: shown(target) });
        }
        let path = temporary_name(target);
        // Its lock is kept until the new file is locked, so that of two processes one gives way.
        let _stale = remove_stale(&path, target)?;
        remove_others(&path);
        for _ in 0..ATTEMPTS {
            let file = match private_files::create_new(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => break,
                created => created.map_err(|error| cannot_write(target, &error))?,
            };
            // Before it is locked, another process can take it for a file that was left, and delete it.
            if lock(&file, target).is_err() || is_elsewhere(&file, &path) {
                continue;
            }
            remove_beside(&path).map_err(|error| cannot_write(target, &error))?;
            return Ok(Self { path, target: target.to_owned(), file });
        }
        Err(BackupError::InProgress { path: shown(target) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path as SQL takes it.
    pub(super) fn name(&self) -> Result<&str> {
        self.path.to_str().ok_or_else(|| self.cannot_write(&"its path is not UTF-8; name another file"))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |file| file.len())
    }

    pub(super) fn cannot_write(&self, reason: &dyn Display) -> BackupError {
        BackupError::Write { path: shown(&self.target), reason: reason.to_string() }
    }

    /// Flushes the file and gives it its name, which nobody else may have taken. Returns its size.
    pub(super) fn publish(self) -> Result<u64> {
        let target = self.target.clone();
        let cannot_write = |error: io::Error| cannot_write(&target, &error);
        self.file.sync_all().map_err(cannot_write)?;
        let bytes = self.file.metadata().map_err(cannot_write)?.len();
        let linked = match fs::hard_link(&self.path, &target) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => self.rename(),
            linked => linked,
        };
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists { path: shown(&target) });
            }
            linked => linked.map_err(cannot_write)?,
        }
        drop(self);
        File::open(folder(&target)).and_then(|folder| folder.sync_all()).map_err(cannot_write)?;
        Ok(bytes)
    }

    /// For file systems without hard links: replaces an empty file that nobody else can have created.
    fn rename(&self) -> io::Result<()> {
        private_files::create_new(&self.target)?;
        fs::rename(&self.path, &self.target).inspect_err(|_| {
            // The first error matters.
            let _ = fs::remove_file(&self.target);
        })
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // If this fails, the next command for the same target does it.
        let _ = remove_beside(&self.path).and_then(|()| fs::remove_file(&self.path));
    }
}

pub(super) fn temporary_name(target: &Path) -> PathBuf {
    with_suffix(target, EXTENSION)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Whether anything has this name, such as a symbolic link to nothing.
pub(super) fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Deletes the file that a killed process has left, and returns it with its lock.
fn remove_stale(path: &Path, target: &Path) -> Result<Option<File>> {
    let cannot_write = |error: io::Error| cannot_write(target, &error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // Whatever it is, this program has not made it.
        Ok(found) if !found.is_file() => return Err(BackupError::InTheWay { path: shown(path) }),
        found => found.map_err(cannot_write)?,
    };
    let file = OpenOptions::new().read(true).open(path).map_err(cannot_write)?;
    lock(&file, target)?;
    if is_elsewhere(&file, path) {
        return Err(BackupError::InProgress { path: shown(target) });
    }
    remove_beside(path).and_then(|()| fs::remove_file(path)).map_err(cannot_write)?;
    Ok(Some(file))
}

/// Deletes what is left for other targets, which nobody may name again, such as names with a date.
fn remove_others(path: &Path) {
    let Ok(files) = fs::read_dir(folder(path)) else { return };
    let names = files.flatten().map(|file| file.path());
    for other in names.filter(|other| other != path && other.to_string_lossy().ends_with(EXTENSION)) {
        // One that is in progress, or another user's, does not concern this command.
        let _ = remove_stale(&other, &other);
    }
}

fn lock(file: &File, target: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(BackupError::InProgress { path: shown(target) }),
        Err(TryLockError::Error(error)) => Err(cannot_write(target, &error)),
    }
}

/// Whether the path leads to another file, or to none.
fn is_elsewhere(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|file| FileIdentity::from(&file).is_gone_from(path))
}

fn remove_beside(path: &Path) -> io::Result<()> {
    for suffix in BESIDE {
        match fs::remove_file(with_suffix(path, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path, error: &io::Error) -> BackupError {
    let folder = folder(path);
    let reason = if !folder.is_dir() {
        format!("the folder {} does not exist; create it", folder.display())
    } else {
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                format!("{error}; this user must be able to write to the folder {}", folder.display())
            }
            _ => error.to_string(),
        }
    };
    BackupError::Write { path: shown(path), reason }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
