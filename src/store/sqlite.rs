//! The SQLite database.

use super::engine::{Pool, Tx, query};
use super::file_identity::FileIdentity;
use super::{Result, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::Notify;

/// SQL for the domain of `members.email`, with ASCII letters in lower case.
pub(super) const DOMAIN: &str = "lower(substr(email, instr(email, '@') + 1))";

/// How long a background write waits for other writers of this process.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a write waits while a person waits for it.
pub(crate) const INTERACTIVE_WAIT: Duration = Duration::from_secs(3);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) writer: Pool,
    pub(super) reader: Pool,
    pub(super) path: PathBuf,
    pub(super) file: FileIdentity,
    /// Notified when a write or a new connection finds the file deleted or replaced.
    pub(super) file_loss: Arc<Notify>,
    /// Whether this process holds the [`super::InstanceLock`].
    pub(super) instance: Arc<AtomicBool>,
    /// Whether a person waits for the writes.
    pub(super) interactive: bool,
    /// Only one background transaction waits for the connection, so that an interactive one has at most one ahead of it.
    pub(super) background_turn: Arc<tokio::sync::Mutex<()>>,
}

impl Store {
    /// A handle for writes that a person waits for. A transaction waits at most [`INTERACTIVE_WAIT`] for other writers,
    /// those of other processes included, and then fails with [`StoreError::Busy`].
    #[must_use]
    pub(crate) fn interactive(&self) -> Self {
        Self { interactive: true, ..self.clone() }
    }

    /// A handle for writes that must succeed although no person waits for them any longer.
    #[must_use]
    pub(crate) fn background(&self) -> Self {
        Self { interactive: false, ..self.clone() }
    }

    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Begins a write transaction.
    ///
    /// # Errors
    /// Also [`StoreError::FileReplaced`]: the write would be lost.
    pub(super) async fn begin(&self) -> Result<Tx> {
        self.verify_file().inspect_err(|_| self.file_loss.notify_one())?;
        let begin = self.writer.begin();
        if !self.interactive {
            let turn = tokio::time::timeout(ACQUIRE_TIMEOUT, self.background_turn.lock()).await;
            let _turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
            return begin.await;
        }
        // An abandoned BEGIN waits on in its connection's thread. When it gets the lock, sqlx rolls it back, because nobody
        // receives its result. The connection returns to the pool after that.
        tokio::time::timeout(INTERACTIVE_WAIT, begin).await.map_err(|_| StoreError::Busy)?
    }

    /// # Errors
    /// [`StoreError::FileReplaced`].
    pub(crate) fn verify_file(&self) -> Result<()> {
        if self.file.is_gone_from(&self.path) {
            return Err(StoreError::FileReplaced { path: self.path.display().to_string() });
        }
        Ok(())
    }

    /// Wakes one waiter when a write or a new connection finds the file deleted or replaced. Reads on open connections
    /// do not notice.
    pub(crate) fn file_loss(&self) -> Arc<Notify> {
        self.file_loss.clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    /// Writes something, for the readiness check.
    ///
    /// # Errors
    /// The disk is full, for example. Not when others are writing.
    pub(crate) async fn probe_write(&self) -> Result<()> {
        let mut tx = match self.interactive().begin().await {
            Ok(tx) => tx,
            Err(StoreError::Busy) => return Ok(()),
            Err(error) => return Err(error),
        };
        // A few pages, so that the write-ahead log has to grow.
        query("INSERT OR REPLACE INTO write_probe (id, filler) VALUES (1, randomblob(8192))")
            .execute(&mut tx)
            .await?;
        tx.commit().await
    }

    /// Waits for running statements, then closes all connections.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::store::testing::TestDatabase;

    async fn store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("busy.db").display()).parse().unwrap();
        (Store::open(&url).await.unwrap(), folder)
    }

    #[tokio::test]
    async fn an_interactive_write_fails_while_another_process_writes_and_leaves_no_transaction() {
        let (store, _folder) = store().await;
        let mut other = TestDatabase::open(store.path()).await.unwrap();
        other.block_writers().await.unwrap();
        assert!(matches!(store.interactive().begin().await, Err(StoreError::Busy)));
        drop(other);
        store.interactive().begin().await.unwrap().commit().await.unwrap();
        let mut other = TestDatabase::open(store.path()).await.unwrap();
        other.block_writers().await.unwrap();
    }

    #[tokio::test]
    async fn an_interactive_write_waits_behind_one_background_write_at_most() {
        let (store, _folder) = store().await;
        let held = store.begin().await.unwrap();
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        for name in ["sweep 1", "sweep 2", "sweep 3", "press"] {
            let store = if name == "press" { store.interactive() } else { store.clone() };
            let sender = sender.clone();
            tokio::spawn(async move {
                let _transaction = store.begin().await.unwrap();
                let _ = sender.send(name);
            });
        }
        drop(sender);
        tokio::task::yield_now().await;
        drop(held);
        let mut names = Vec::new();
        while let Some(name) = order.recv().await {
            names.push(name);
        }
        assert_eq!(names, ["sweep 1", "press", "sweep 2", "sweep 3"]);
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_rolled_back_by_itself_stops_no_later_write() {
        let (store, _folder) = store().await;
        let mut tx = store.begin().await.unwrap();
        // SQLite does this on a full disk, without telling sqlx.
        query("ROLLBACK").execute(&mut tx).await.unwrap();
        drop(tx);
        for _ in 0..2 {
            store.begin().await.unwrap().commit().await.unwrap();
            store.probe_write().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_written_fails_the_probe() {
        let (store, _folder) = store().await;
        store.probe_write().await.unwrap();
        query("PRAGMA query_only = ON").execute(&store.writer).await.unwrap();
        let error = store.probe_write().await.unwrap_err();
        assert!(matches!(&error, StoreError::Database(_)), "{error}");
    }

    #[tokio::test]
    async fn an_interactive_write_fails_while_this_process_writes() {
        let (store, _folder) = store().await;
        let held = store.begin().await.unwrap();
        assert!(matches!(store.interactive().begin().await, Err(StoreError::Busy)));
        drop(held);
        store.interactive().begin().await.unwrap();
    }
}
