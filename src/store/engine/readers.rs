//! SQLite's connections for reading.
//!
//! The pool of sqlx asks each connection that comes back whether it still works. That costs as much as a small statement,
//! because the thread of the connection has to answer. A connection to a file needs no such test.

use super::group_commit::Connect;
use sqlx::{Connection, SqliteConnection};
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
    idle: Mutex<Vec<SqliteConnection>>,
    size: u32,
    permits: Semaphore,
}

/// A connection that is used alone. Dropped without [`Reader::answered`], it is closed.
pub(super) struct Reader<'a> {
    pub(super) connection: SqliteConnection,
    readers: &'a Inner,
    _permit: SemaphorePermit<'a>,
}

impl Readers {
    /// Opens the first connection.
    pub(in crate::store) async fn open(connect: Connect) -> sqlx::Result<Self> {
        Ok(Self::new(connect().await?, connect, CONNECTIONS))
    }

    /// Only this connection, such as one to a database in memory.
    pub(in crate::store) fn alone(connection: SqliteConnection) -> Self {
        Self::new(connection, Box::new(|| Box::pin(async { Err(sqlx::Error::PoolClosed) })), 1)
    }

    fn new(first: SqliteConnection, connect: Connect, size: u32) -> Self {
        let permits = Semaphore::new(size as usize);
        Self(Arc::new(Inner { connect, idle: Mutex::new(vec![first]), size, permits }))
    }

    pub(super) async fn acquire(&self) -> sqlx::Result<Reader<'_>> {
        let readers = &*self.0;
        let permit = timeout(WAIT, readers.permits.acquire()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let _permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = readers.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => (readers.connect)().await?,
        };
        Ok(Reader { connection, readers, _permit })
    }

    /// Waits for running statements, then closes all connections.
    pub(super) async fn close(&self) {
        let all = self.0.permits.acquire_many(self.0.size).await;
        self.0.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.0.idle());
        for connection in idle {
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
    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader<'_> {
    /// Keeps the connection for others after a statement, unless its thread is gone.
    pub(super) fn answered<T>(self, answer: sqlx::Result<T>) -> sqlx::Result<T> {
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
        (Readers::open(connect).await.unwrap(), opened)
    }

    #[tokio::test]
    async fn a_connection_is_used_again_unless_its_statement_was_abandoned() {
        let (readers, opened) = readers().await;
        readers.acquire().await.unwrap().answered(Ok(())).unwrap();
        let failed = readers.acquire().await.unwrap().answered::<()>(Err(sqlx::Error::RowNotFound));
        assert!(failed.is_err());
        drop(readers.acquire().await.unwrap());
        assert_eq!(opened.load(Ordering::Relaxed), 1);
        readers.acquire().await.unwrap().answered(Ok(())).unwrap();
        assert_eq!(opened.load(Ordering::Relaxed), 2);
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
