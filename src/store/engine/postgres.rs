//! Sessions of PostgreSQL, and their transactions.
//!
//! The server ends a statement that takes too long. A server that hangs, or that the network no longer reaches, ends
//! nothing: each wait for it has a limit here, after which the connection is closed.

use super::urgency::Urgency;
use crate::base::telemetry::metrics;
use crate::store::error::{Result, StoreError};
use crate::store::failure::Failure;
use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgConnection, PgPool, Postgres};
use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// While a person waits, a row that another transaction holds is not waited for any longer than that.
const BEGIN_INTERACTIVE: &str = "BEGIN; SET LOCAL lock_timeout = '3s'";
/// For what a server that works does at once.
const PROMPT: Duration = Duration::from_secs(5);

/// The connections to a server. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct Server {
    pool: PgPool,
    /// A statement without an answer after this time never gets one: the server would have ended it earlier.
    limit: Duration,
}

/// A connection that is used alone. On drop, its transaction is undone, and it returns to the pool if it still answers.
#[derive(Debug)]
pub(in crate::store) struct Session {
    /// `None` after the server has not answered.
    connection: Option<PoolConnection<Postgres>>,
    is_in_transaction: bool,
    limit: Duration,
}

impl Server {
    /// `statement_timeout`: after this time the server ends a statement.
    pub(in crate::store) fn new(pool: PgPool, statement_timeout: Duration) -> Self {
        Self { pool, limit: statement_timeout.saturating_add(PROMPT) }
    }

    pub(in crate::store) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn acquire(&self) -> sqlx::Result<Session> {
        let connection = Some(self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => no_connection(),
            other => other,
        })?);
        Ok(Session { connection, is_in_transaction: false, limit: self.limit })
    }

    pub(super) async fn begin(&self, urgency: Urgency) -> Result<Session> {
        let mut session = self.acquire().await?;
        session.is_in_transaction = true;
        let begin = match urgency {
            Urgency::Interactive => BEGIN_INTERACTIVE,
            Urgency::Renewal | Urgency::Background => "BEGIN",
        };
        session.execute(begin).await?;
        Ok(session)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Session {
    /// # Errors
    /// The server has not answered before, so that the session is over.
    pub(super) fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.connection.as_deref_mut().ok_or_else(no_answer)
    }

    /// How long to wait for a statement.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// The result of a statement that was waited for with a limit.
    ///
    /// # Errors
    /// Without an answer, the connection is closed; the server undoes the transaction when it finds out. So is one to a
    /// server that takes no writes: after a failover, another one does.
    pub(super) fn answered<T>(&mut self, answer: Result<sqlx::Result<T>, Elapsed>) -> sqlx::Result<T> {
        let did_not_answer = answer.is_err();
        let answer = answer.unwrap_or_else(|_| Err(no_answer()));
        if let Err(error) = &answer
            && (did_not_answer || Failure::of(error) == Failure::ReadOnly)
        {
            drop(self.connection.take().map(PoolConnection::detach));
        }
        answer
    }

    async fn execute(&mut self, statement: &'static str) -> sqlx::Result<()> {
        let answer = timeout(self.limit, self.connection()?.execute(statement)).await;
        self.answered(answer).map(drop)
    }

    async fn end_transaction(&mut self) -> sqlx::Result<()> {
        self.execute("COMMIT").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Runs in a task, where a caller that goes away does not cut it off.
    ///
    /// # Errors
    /// Nothing was written, except with [`StoreError::Uncertain`].
    pub(super) async fn commit(mut self) -> Result<()> {
        let commit = async move { self.end_transaction().await };
        let started = Instant::now();
        let committed = tokio::spawn(commit).await.unwrap_or(Err(sqlx::Error::WorkerCrashed));
        metrics::record_commit(1, started.elapsed());
        committed.map_err(|error| match Failure::of(&error) {
            Failure::ConnectionLost => StoreError::Uncertain,
            _ => error.into(),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(give_back(connection, self.is_in_transaction))),
            Err(_) => drop(connection.detach()),
        }
    }
}

/// Closes the connection if its server does not answer: sqlx would wait for it forever.
async fn give_back(mut connection: PoolConnection<Postgres>, is_in_transaction: bool) {
    if is_in_transaction && !matches!(timeout(PROMPT, connection.execute("ROLLBACK")).await, Ok(Ok(_))) {
        drop(connection.detach());
        return;
    }
    // It tests the connection. When it is cut off, it closes it.
    let _ = timeout(PROMPT, connection.return_to_pool()).await;
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(Error::new(ErrorKind::TimedOut, "the server does not answer"))
}

fn no_connection() -> sqlx::Error {
    let text = "the server gives no connection; is it running, and are connections left?";
    sqlx::Error::Io(Error::new(ErrorKind::NotConnected, text))
}

/// Returns whether an idle connection is to a server that takes writes.
///
/// # Errors
/// It does not answer at once.
pub(in crate::store) async fn test(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let is_writable = sqlx::query_scalar("SELECT current_setting('transaction_read_only') = 'off'");
    timeout(PROMPT, is_writable.fetch_one(connection)).await.unwrap_or_else(|_| Err(no_answer()))
}
