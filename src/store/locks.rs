//! Locks between processes: files beside a database file, sessions of a server. The operating system, or the server,
//! releases them when the process ends, even by a crash.

use super::file_identity::FileIdentity;
use super::holder::Holder;
use super::open_error::cannot_open;
use super::place::Place;
use super::session_lock::{Exclusive, SessionLock};
use super::{Result, Store, StoreError};
use crate::base::private_files;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Permits a process to sweep and deliver. A database file permits one process, a server several.
#[derive(Debug)]
pub struct InstanceLock {
    held: Held,
    instance: Arc<AtomicBool>,
    holder: Holder,
}

#[derive(Debug)]
enum Held {
    File {
        #[expect(dead_code, reason = "holds the lock")]
        file: File,
        identity: FileIdentity,
    },
    Shared,
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        self.holder.set(None);
        self.instance.store(false, Ordering::SeqCst);
    }
}

/// The only process that imports, or that rotates the keys, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "holds the lock")]
pub(crate) struct ExclusiveLock(HeldExclusively);

#[derive(Debug)]
#[expect(dead_code, reason = "holds the lock")]
enum HeldExclusively {
    File(File),
    Session(SessionLock),
}

impl Store {
    /// Lets this process sweep and deliver with this database. With a file, it is the only one.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process holds the lock.
    pub fn lock(&self) -> Result<InstanceLock> {
        let held = match &self.place {
            Place::File { path, .. } => self.lock_instance_file(path)?,
            Place::Server(_) => Held::Shared,
        };
        self.instance.store(true, Ordering::SeqCst);
        Ok(InstanceLock { held, instance: Arc::clone(&self.instance), holder: self.holder.clone() })
    }

    /// Takes the lock again if somebody deleted its file. Returns whether that was necessary.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has taken the lock since.
    pub(crate) fn renew_lock(&self, lock: &mut InstanceLock) -> Result<bool> {
        let is_gone = match (&self.place, &lock.held) {
            (Place::File { path, .. }, Held::File { identity, .. }) => {
                identity.is_gone_from(&lock_path(path, "lock")).then_some(path)
            }
            _ => None,
        };
        let Some(path) = is_gone else { return Ok(false) };
        lock.held = self.lock_instance_file(path)?;
        Ok(true)
    }

    fn locked_by(&self, holder: String) -> StoreError {
        StoreError::Locked { path: self.place.to_string(), holder }
    }

    fn lock_instance_file(&self, path: &Path) -> Result<Held> {
        let file = lock_file(path, "lock")?.map_err(|holder| self.locked_by(holder))?;
        let path = lock_path(path, "lock");
        let identity = FileIdentity::of(&path).map_err(|error| cannot_open(&path, &error))?;
        Ok(Held::File { file, identity })
    }

    /// Whether a process, this one included, sweeps and delivers with this database file. On a server, it does not matter:
    /// no other writer waits for an import.
    pub(super) fn is_instance_running(&self) -> Result<bool> {
        match &self.place {
            Place::File { path, .. } => Ok(self.holds_instance_lock() || lock_file(path, "lock")?.is_err()),
            Place::Server(_) => Ok(false),
        }
    }

    /// Makes this process the only one that imports members.
    ///
    /// # Errors
    /// [`StoreError::Importing`] if another process imports.
    pub(super) async fn lock_imports(&self) -> Result<ExclusiveLock> {
        let lock = self.lock_exclusively("import", Exclusive::Import).await?;
        lock.map_err(|holder| StoreError::Importing { holder })
    }

    /// Makes this process the only one that rotates the keys.
    ///
    /// # Errors
    /// [`StoreError::Rotating`] if another process does.
    pub(crate) async fn lock_rotation(&self) -> Result<ExclusiveLock> {
        let lock = self.lock_exclusively("rotation", Exclusive::Rotation).await?;
        lock.map_err(|holder| StoreError::Rotating { holder })
    }

    /// Takes the lock, or returns its holder.
    async fn lock_exclusively(
        &self,
        extension: &str,
        purpose: Exclusive,
    ) -> Result<std::result::Result<ExclusiveLock, String>> {
        let held = match (&self.place, self.writer.server()) {
            (Place::File { path, .. }, _) => lock_file(path, extension)?.map(HeldExclusively::File),
            (Place::Server(_), Some(server)) => {
                SessionLock::acquire(server.pool(), purpose).await?.map(HeldExclusively::Session)
            }
            (Place::Server(_), None) => return Err(sqlx::Error::PoolClosed.into()),
        };
        Ok(held.map(ExclusiveLock))
    }

    pub(super) fn holds_instance_lock(&self) -> bool {
        self.instance.load(Ordering::SeqCst)
    }
}

/// Keeps daemons and imports away from a place without a database, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "holds the locks")]
pub(super) struct VacantPlace {
    instance: File,
    import: File,
}

impl VacantPlace {
    /// # Errors
    /// A process still uses the database that was there.
    pub(super) fn lock(path: &Path) -> Result<Self> {
        let location = path.display().to_string();
        let locked = |holder| StoreError::Locked { path: location, holder };
        let instance = lock_file(path, "lock")?.map_err(locked)?;
        let import = lock_file(path, "import")?.map_err(|holder| StoreError::Importing { holder })?;
        Ok(Self { instance, import })
    }
}

/// Locks the file with this extension, or returns the process id of its holder.
fn lock_file(path: &Path, extension: &str) -> Result<std::result::Result<File, String>> {
    let name = lock_path(path, extension);
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

fn lock_path(path: &Path, extension: &str) -> PathBuf {
    // Several paths can lead to the same file.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.into_os_string();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
