//! Ends the daemon when its database file is deleted or replaced, or when another daemon has taken its lock.

use super::log_watch::LogWatch;
use crate::store::{InstanceLock, Store, StoreError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct DatabaseFile {
    store: Store,
    lock: Arc<Mutex<InstanceLock>>,
    lost: Arc<Mutex<Option<StoreError>>>,
    is_lost: CancellationToken,
}

impl DatabaseFile {
    pub(super) fn new(store: Store, lock: InstanceLock) -> Self {
        let lost = Arc::default();
        Self { store, lock: Arc::new(Mutex::new(lock)), lost, is_lost: CancellationToken::new() }
    }

    /// Whether the file is still in its place, and this process still its only daemon. If not, the daemon ends.
    pub(super) fn is_in_place(&self) -> bool {
        let verified = self.store.verify_file().and_then(|()| self.store.renew_lock(&mut lock(&self.lock)));
        match verified {
            Ok(false) => return true,
            Ok(true) => {
                tracing::warn!(event = "lock_file_restored", "the lock file was deleted; locked it again");
                return true;
            }
            Err(error) => {
                if !self.is_lost.is_cancelled() {
                    let event = match error {
                        StoreError::FileReplaced { .. } => "database_file_replaced",
                        _ => "instance_lock_lost",
                    };
                    tracing::error!(event, %error, "ending at once");
                    *lock(&self.lost) = Some(error);
                    self.is_lost.cancel();
                }
            }
        }
        false
    }

    pub(super) fn log_watch(&self) -> LogWatch {
        LogWatch::new(self.store.clone())
    }

    /// Notified when there is a reason to call [`Self::is_in_place`] now.
    pub(super) fn wake(&self) -> Arc<Notify> {
        self.store.file_loss()
    }

    /// Waits until [`Self::is_in_place`] has returned `false`. For one caller.
    pub(super) async fn wait_until_lost(&self) -> StoreError {
        self.is_lost.cancelled().await;
        let replaced = || StoreError::FileReplaced { path: self.store.location() };
        lock(&self.lost).take().unwrap_or_else(replaced)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
