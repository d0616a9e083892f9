//! Verifies that the files of the database and its lock are still in their places, and looks at the write-ahead log.

use crate::server::database_file::DatabaseFile;
use crate::server::log_watch::LogWatch;
use crate::server::runner::{Loop, Progress};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const INTERVAL: Duration = Duration::from_secs(30);

pub(super) struct DatabaseFileLoop {
    log: LogWatch,
    file: DatabaseFile,
    interval: Duration,
}

impl DatabaseFileLoop {
    pub(super) fn new(file: DatabaseFile) -> Self {
        Self::every(INTERVAL, file)
    }

    fn every(interval: Duration, file: DatabaseFile) -> Self {
        Self { log: file.log_watch(), file, interval }
    }
}

impl Loop for DatabaseFileLoop {
    const NAME: &'static str = "database_file";

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.file.wake())
    }

    async fn step(&mut self) -> anyhow::Result<Progress> {
        if self.file.is_in_place() {
            self.log.look().await?;
        }
        Ok(Progress::Pause(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::base::telemetry::LoopStates;
    use crate::server::runner::{Runner, Tasks};
    use crate::store::{Store, StoreError};
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_file_that_is_deleted_or_replaced_is_noticed_between_two_sweeps() {
        for replacement in [None, Some("another file")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("replaced.db");
            let store = Store::open(&format!("sqlite://{}", path.display()).parse().unwrap()).await.unwrap();
            let lock = store.lock().unwrap();
            let file = DatabaseFile::new(store, lock);
            let (mut tasks, shutdown) = (Tasks::new(), CancellationToken::new());
            let (clock, states) = (Clock::System, LoopStates::default());
            let mut runner = Runner::new(&mut tasks, &states, &clock, &shutdown);
            runner.spawn(DatabaseFileLoop::every(Duration::from_millis(10), file.clone()));
            let replaced = file.wait_until_lost();
            assert!(tokio::time::timeout(Duration::from_millis(100), replaced).await.is_err());
            std::fs::remove_file(&path).unwrap();
            if let Some(text) = replacement {
                std::fs::write(&path, text).unwrap();
            }
            let error = tokio::time::timeout(Duration::from_secs(10), file.wait_until_lost()).await;
            assert!(matches!(error, Ok(StoreError::FileReplaced { .. })), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_write_or_a_new_connection_that_finds_another_file_leads_to_a_look_at_once() {
        for is_write in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("replaced.db");
            let store = Store::open(&format!("sqlite://{}", path.display()).parse().unwrap()).await.unwrap();
            let file = DatabaseFile::new(store.clone(), store.lock().unwrap());
            let (mut tasks, shutdown) = (Tasks::new(), CancellationToken::new());
            let (clock, states) = (Clock::System, LoopStates::default());
            let mut runner = Runner::new(&mut tasks, &states, &clock, &shutdown);
            runner.spawn(DatabaseFileLoop::new(file.clone()));
            while states.all()[0].last_step.is_none() {
                tokio::task::yield_now().await;
            }
            std::fs::write(folder.path().join("other"), "another file").unwrap();
            std::fs::rename(folder.path().join("other"), &path).unwrap();
            let statements = async {
                if is_write {
                    store.probe_write().await.unwrap_err();
                } else {
                    // Many at once need new connections, unless the open ones happen to be free again soon.
                    loop {
                        futures_util::future::join_all((0..16).map(|_| store.ping())).await;
                        tokio::task::yield_now().await;
                    }
                }
                std::future::pending().await
            };
            let error = tokio::time::timeout(Duration::from_secs(5), async {
                tokio::select! { error = file.wait_until_lost() => error, () = statements => unreachable!() }
            });
            assert!(matches!(error.await, Ok(StoreError::FileReplaced { .. })), "write: {is_write}");
        }
    }

    #[tokio::test]
    async fn a_deleted_lock_file_is_locked_again_unless_another_daemon_was_faster() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("locked.db").display()).parse().unwrap();
        let (store, other) = (Store::open(&url).await.unwrap(), Store::open(&url).await.unwrap());
        let lock_file = folder.path().join("locked.db.lock");
        let lock = store.lock().unwrap();
        let file = DatabaseFile::new(store, lock);
        std::fs::remove_file(&lock_file).unwrap();
        assert!(file.is_in_place());
        assert!(file.is_in_place(), "the new lock file is this daemon's own");
        assert!(matches!(other.lock(), Err(StoreError::Locked { .. })));

        std::fs::remove_file(&lock_file).unwrap();
        let _taken = other.lock().unwrap();
        assert!(!file.is_in_place());
        assert!(matches!(file.wait_until_lost().await, StoreError::Locked { .. }));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_daemon_that_reaches_the_database_by_another_path_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.db"), folder.path().join("link.db"));
        let store = Store::open(&format!("sqlite://{}", path.display()).parse().unwrap()).await.unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let other = Store::open(&format!("sqlite://{}", link.display()).parse().unwrap()).await.unwrap();
        let _lock = store.lock().unwrap();
        assert!(matches!(other.lock(), Err(StoreError::Locked { .. })));
    }
}
