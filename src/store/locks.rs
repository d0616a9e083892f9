//! Locks between processes: files beside the database. The operating system releases them when the process ends, even by
//! a crash.

use super::file_identity::FileIdentity;
use super::open_error::cannot_open;
use super::{Result, Store, StoreError};
use crate::base::private_files;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The only process that sweeps and delivers.
#[derive(Debug)]
pub struct InstanceLock {
    file: File,
    identity: FileIdentity,
    instance: Arc<AtomicBool>,
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        self.instance.store(false, Ordering::SeqCst);
    }
}

/// The only process that imports.
#[derive(Debug)]
pub(super) struct ImportLock(#[expect(dead_code, reason = "holds the lock")] File);

impl Store {
    /// Makes this process the only one that sweeps and delivers with this database.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process holds the lock.
    pub fn lock(&self) -> Result<InstanceLock> {
        let (file, path) = (self.lock_instance_file()?, self.lock_path("lock"));
        let identity = FileIdentity::of(&path).map_err(|error| cannot_open(&path, &error))?;
        self.instance.store(true, Ordering::SeqCst);
        Ok(InstanceLock { file, identity, instance: Arc::clone(&self.instance) })
    }

    /// Takes the lock again if somebody deleted its file. Returns whether that was necessary.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has taken the lock since.
    pub(crate) fn renew_lock(&self, lock: &mut InstanceLock) -> Result<bool> {
        let path = self.lock_path("lock");
        if !lock.identity.is_gone_from(&path) {
            return Ok(false);
        }
        lock.file = self.lock_instance_file()?;
        lock.identity = FileIdentity::of(&path).map_err(|error| cannot_open(&path, &error))?;
        Ok(true)
    }

    fn lock_instance_file(&self) -> Result<File> {
        self.lock_file("lock")?
            .map_err(|holder| StoreError::Locked { path: self.path.display().to_string(), holder })
    }

    /// Whether a process, this one included, sweeps and delivers with this database.
    pub(super) fn is_instance_running(&self) -> Result<bool> {
        Ok(self.holds_instance_lock() || self.lock_file("lock")?.is_err())
    }

    /// Makes this process the only one that imports members.
    ///
    /// # Errors
    /// [`StoreError::Importing`] if another process imports.
    pub(super) fn lock_imports(&self) -> Result<ImportLock> {
        let file = self.lock_file("import")?.map_err(|holder| StoreError::Importing { holder })?;
        Ok(ImportLock(file))
    }

    /// Locks the file with this extension, or returns the process id of its holder.
    fn lock_file(&self, extension: &str) -> Result<std::result::Result<File, String>> {
        let name = self.lock_path(extension);
        let open = |error: std::io::Error| cannot_open(&name, &error);
        let mut file = match private_files::create_new(&name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                OpenOptions::new().read(true).write(true).open(&name)
            }
            created => created,
        }
        .map_err(open)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The id only improves the error message.
                let _ = file.read_to_string(&mut holder);
                return Ok(Err(if holder.is_empty() { "unknown".into() } else { holder.trim().into() }));
            }
            Err(TryLockError::Error(error)) => return Err(open(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(open)?;
        Ok(Ok(file))
    }

    fn lock_path(&self, extension: &str) -> PathBuf {
        // Several paths can lead to the same file.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut name = path.into_os_string();
        name.push(".");
        name.push(extension);
        PathBuf::from(name)
    }

    pub(super) fn holds_instance_lock(&self) -> bool {
        self.instance.load(Ordering::SeqCst)
    }
}
