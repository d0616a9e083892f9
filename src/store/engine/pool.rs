//! Connections for reading, and transactions of one unit of work.

use super::group_commit::Turn;
use super::postgres::{Server, Session};
use super::readers::Readers;
use super::urgency::Flush;
use crate::domain::{Actor, EventTypes};
use crate::store::error::{Result, StoreError};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Connections for reading. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) enum Pool {
    Sqlite(Readers),
    Postgres(Server),
}

/// A transaction, or a part of one, that can be committed and undone alone. Dropped without [`Work::finish`], it is undone.
#[derive(Debug)]
pub(in crate::store) enum Work {
    Sqlite(Turn),
    /// In a transaction.
    Postgres(Session),
}

/// The access of a unit of work to the database.
#[derive(Debug)]
pub(in crate::store) struct Tx {
    /// `None` only while it is dropped.
    work: Option<Work>,
    end: Option<oneshot::Sender<Work>>,
    /// The events that the unit records.
    pub(in crate::store) recorded_events: EventTypes,
    /// See the fields of the store.
    pub(in crate::store) notifies_each_member: bool,
    pub(in crate::store) actor: Option<Arc<Actor>>,
}

impl Pool {
    /// Waits for running statements, then closes all connections.
    pub(in crate::store) async fn close(&self) {
        match self {
            Self::Sqlite(readers) => readers.close().await,
            Self::Postgres(server) => server.close().await,
        }
    }
}

impl Work {
    /// Lends it to a unit. The future returns it after the unit has dropped the `Tx`.
    pub(in crate::store) fn into_tx(self) -> (Tx, impl Future<Output = Result<Self>>) {
        let (end, work) = oneshot::channel();
        let (recorded_events, notifies_each_member) = (EventTypes::default(), false);
        let tx = Tx { work: Some(self), end: Some(end), recorded_events, notifies_each_member, actor: None };
        (tx, async { work.await.map_err(|_| StoreError::RolledBack) })
    }

    /// Keeps what was written, and waits until it is durable.
    ///
    /// # Errors
    /// Nothing was written, except perhaps with [`StoreError::Uncertain`].
    pub(in crate::store) async fn finish(self, flush: Flush) -> Result<()> {
        match self {
            Self::Sqlite(turn) => turn.finish(flush).await,
            Self::Postgres(session) => session.commit().await,
        }
    }
}

impl Tx {
    pub(super) fn work(&mut self) -> &mut Work {
        self.work.as_mut().expect("it is there until this is dropped")
    }

    /// A statement may have changed something.
    pub(super) fn note_write(&mut self) {
        match self.work() {
            Work::Sqlite(turn) => turn.has_written = true,
            Work::Postgres(_) => {}
        }
    }

    /// Whether other units can write at the same time.
    pub(in crate::store) fn needs_row_locks(&mut self) -> bool {
        self.is_on_postgres()
    }

    /// # Errors
    /// [`StoreError::Damaged`]: a page of the file is damaged, so that what is read may be wrong.
    pub(in crate::store) fn verify_undamaged(&mut self) -> Result<()> {
        match self.work() {
            Work::Sqlite(turn) => turn.health().verify_undamaged(),
            Work::Postgres(_) => Ok(()),
        }
    }

    pub(in crate::store) fn is_on_postgres(&mut self) -> bool {
        matches!(self.work(), Work::Postgres(_))
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let (Some(work), Some(end)) = (self.work.take(), self.end.take()) {
            // Without a receiver, the unit was abandoned; its work is dropped here, which undoes it.
            let _ = end.send(work);
        }
    }
}
