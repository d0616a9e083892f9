//! SQLite's connections for reading.
//!
//! The pool of sqlx asks each connection that comes back whether it still works. That costs as much as a small statement,
//! because the thread of the connection has to answer. A connection to a file needs no such test.

use super::group_commit::Connect;
use super::health::Health;
use sqlx::{Connection, Executor, SqliteConnection};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How many statements run at once.
const CONNECTIONS: u32 = 4;
/// How long a statement waits for others.
const WAIT: Duration = Duration::from_secs(30);

/// Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct Readers(Arc<Inner>);

struct Inner {
    connect: Connect,
    /// Never used, so that the last connection is not closed before the end: SQLite would delete the write-ahead log.
    anchor: Mutex<Option<SqliteConnection>>,
    idle: Mutex<Vec<SqliteConnection>>,
    size: u32,
    permits: Semaphore,
    health: Health,
}

/// A connection that is used alone. Dropped without [`Reader::answered`], it is closed.
pub(super) struct Reader<'a> {
    pub(super) connection: SqliteConnection,
    readers: &'a Inner,
    _permit: SemaphorePermit<'a>,
}

impl Readers {
    /// Opens the first connections.
    pub(in crate::store) async fn open(connect: Connect, health: Health) -> sqlx::Result<Self> {
        let mut anchor = connect().await?;
        // Opens the write-ahead log.
        anchor.execute("SELECT count(*) FROM sqlite_master").await?;
        let readers = Self::new(connect().await?, connect, CONNECTIONS, health);
        *readers.0.anchor() = Some(anchor);
        Ok(readers)
    }

    /// Only this connection, such as one to a database in memory.
    pub(in crate::store) fn alone(connection: SqliteConnection) -> Self {
        let connect: Connect = Box::new(|| Box::pin(async { Err(sqlx::Error::PoolClosed) }));
        Self::new(connection, connect, 1, Health::default())
    }

    fn new(first: SqliteConnection, connect: Connect, size: u32, health: Health) -> Self {
        let permits = Semaphore::new(size as usize);
        let (anchor, idle) = (Mutex::default(), Mutex::new(vec![first]));
        Self(Arc::new(Inner { connect, anchor, idle, size, permits, health }))
    }

    pub(super) async fn acquire(&self) -> sqlx::Result<Reader<'_>> {
        let readers = &*self.0;
        let permit = timeout(WAIT, readers.permits.acquire()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let _permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = readers.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => (readers.connect)().await.inspect_err(|error| readers.health.note_error(error))?,
        };
        Ok(Reader { connection, readers, _permit })
    }

    pub(in crate::store) fn health(&self) -> &Health {
        &self.0.health
    }

    /// Waits for running statements, then closes all connections.
    pub(super) async fn close(&self) {
        let all = self.0.permits.acquire_many(self.0.size).await;
        self.0.permits.close();
        drop(all);
        let (idle, anchor) = (std::mem::take(&mut *self.0.idle()), self.0.anchor().take());
        for connection in idle.into_iter().chain(anchor) {
            if let Err(error) = connection.close().await {
                tracing::warn!(
                    event = "connection_not_closed", %error,
                    "cannot close a reading connection of the database"
                );
            }
        }
    }
}

impl Inner {
    fn anchor(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader<'_> {
    /// Keeps the connection for others after a statement, unless its thread is gone.
    pub(super) fn answered<T>(self, answer: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(error) = &answer {
            self.readers.health.note_error(error);
        }
        if !matches!(answer, Err(sqlx::Error::WorkerCrashed)) {
            self.readers.idle().push(self.connection);
        }
        answer
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Also returns how many connections were opened.
    async fn readers() -> (Readers, Arc<AtomicUsize>) {
        let opened = Arc::new(AtomicUsize::new(0));
        let counter = opened.clone();
        let connect: Connect = Box::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { SqliteConnection::connect("sqlite::memory:").await })
        });
        (Readers::open(connect, Health::default()).await.unwrap(), opened)
    }

    #[tokio::test]
    async fn a_connection_is_used_again_unless_its_statement_was_abandoned() {
        let (readers, opened) = readers().await;
        readers.acquire().await.unwrap().answered(Ok(())).unwrap();
        let failed = readers.acquire().await.unwrap().answered::<()>(Err(sqlx::Error::RowNotFound));
        assert!(failed.is_err());
        drop(readers.acquire().await.unwrap());
        assert_eq!(opened.load(Ordering::Relaxed), 2, "with the anchor");
        readers.acquire().await.unwrap().answered(Ok(())).unwrap();
        assert_eq!(opened.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_statement_waits_while_as_many_run_as_may() {
        let (readers, _) = readers().await;
        let mut running = Vec::new();
        for _ in 0..CONNECTIONS {
            running.push(readers.acquire().await.unwrap());
        }
        assert!(readers.acquire().now_or_never().is_none());
        running.pop().unwrap().answered(Ok(())).unwrap();
        assert!(readers.acquire().now_or_never().is_some());
    }

    #[tokio::test]
    async fn closing_waits_for_running_statements_and_refuses_others() {
        let (readers, _) = readers().await;
        let running = readers.acquire().await.unwrap();
        assert!(readers.close().now_or_never().is_none());
        running.answered(Ok(())).unwrap();
        readers.close().await;
        assert!(matches!(readers.acquire().await, Err(sqlx::Error::PoolClosed)));
    }
}
