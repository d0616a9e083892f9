//! SQLite's only writer. It takes the units of work that wait into one transaction, with a savepoint each, so that one
//! flush makes all of them durable.
//!
//! A unit has the connection for itself while it runs. A unit that fails is rolled back alone. When the transaction itself
//! fails, none of its units was written.

use super::health::Health;
use super::urgency::{Flush, Urgency};
use crate::base::telemetry::metrics;
use crate::store::error::{Result, StoreError};
use sqlx::{Connection, Executor, SqliteConnection};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A transaction takes no more units after this time, because other processes wait for its end.
const MAX_TIME: Duration = Duration::from_millis(20);
/// After this many transactions without a background unit, one that waits comes first.
const MAX_PASSED_OVER: u32 = 8;

/// Opens a connection.
pub(in crate::store) type Connect =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = sqlx::Result<SqliteConnection>> + Send>> + Send + Sync>;

/// The way to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct GroupCommit {
    urgent: UnboundedSender<Waiting>,
    interactive: UnboundedSender<Waiting>,
    background: UnboundedSender<Waiting>,
    stop: CancellationToken,
    task: TaskTracker,
}

/// The exclusive use of the connection. Dropped without [`Turn::finish`], the unit is rolled back.
#[derive(Debug)]
pub(in crate::store) struct Turn {
    connection: OwnedMutexGuard<SqliteConnection>,
    back: oneshot::Sender<Kept>,
    health: Health,
    /// Whether a statement may have changed something.
    pub(super) has_written: bool,
}

/// A unit that waits for its turn.
#[derive(Debug)]
struct Waiting {
    turn: oneshot::Sender<Result<Turn, Arc<sqlx::Error>>>,
    /// Whether the transaction ends soon after this unit.
    is_prompt: bool,
}

/// `Err(None)`: the transaction failed because of another unit.
type Durable = oneshot::Sender<Result<(), Option<Arc<sqlx::Error>>>>;

/// The end of a unit that is kept.
#[derive(Debug)]
struct Kept {
    /// Receives the end of the transaction.
    durable: Option<Durable>,
    has_written: bool,
}

impl GroupCommit {
    /// Starts the writer. It ends with [`GroupCommit::close`] or when the last handle is dropped.
    pub(in crate::store) fn start(connect: Connect, health: Health) -> Self {
        Self::start_bounded(connect, health, MAX_TIME)
    }

    /// `max_time`: after it, a transaction takes no more units.
    pub(in crate::store) fn start_bounded(connect: Connect, health: Health, max_time: Duration) -> Self {
        let (urgent, urgent_units) = unbounded_channel();
        let (interactive, interactive_units) = unbounded_channel();
        let (background, background_units) = unbounded_channel();
        let (stop, task) = (CancellationToken::new(), TaskTracker::new());
        let queue = Queue {
            urgent: urgent_units,
            interactive: interactive_units,
            background: background_units,
            passed_over: 0,
        };
        let writer = SingleWriter { connect, connection: None, health, max_time };
        task.spawn(writer.run(queue, stop.clone()));
        Self { urgent, interactive, background, stop, task }
    }

    /// Waits for the connection, within a transaction.
    pub(super) async fn begin(&self, urgency: Urgency) -> Result<Turn> {
        match urgency {
            Urgency::Renewal => wait_in(&self.urgent, true).await,
            Urgency::Interactive => wait_in(&self.interactive, true).await,
            Urgency::Background => wait_in(&self.background, false).await,
        }
    }

    /// Runs the units that wait, and closes the connection.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.task.close();
        self.task.wait().await;
    }
}

async fn wait_in(queue: &UnboundedSender<Waiting>, is_prompt: bool) -> Result<Turn> {
    let (sender, turn) = oneshot::channel();
    queue.send(Waiting { turn: sender, is_prompt }).map_err(|_| sqlx::Error::PoolClosed)?;
    Ok(turn.await.map_err(|_| sqlx::Error::PoolClosed)??)
}

impl Turn {
    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Keeps what the unit wrote, and waits until it is durable. After a transaction that failed, each unit waits.
    pub(super) async fn finish(self, flush: Flush) -> Result<()> {
        let Self { connection, back, health, has_written } = self;
        if !has_written || (flush == Flush::Later && !health.is_failing()) {
            let _ = back.send(Kept { durable: None, has_written });
            return Ok(());
        }
        let (sender, durable) = oneshot::channel();
        let _ = back.send(Kept { durable: Some(sender), has_written });
        drop(connection);
        match durable.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Some(error))) => Err(error.into()),
            Ok(Err(None)) | Err(_) => Err(StoreError::RolledBack),
        }
    }
}

impl Deref for Turn {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

struct Queue {
    urgent: UnboundedReceiver<Waiting>,
    interactive: UnboundedReceiver<Waiting>,
    background: UnboundedReceiver<Waiting>,
    /// Transactions without a background unit although one waited.
    passed_over: u32,
}

impl Queue {
    /// `None` when nobody can come anymore.
    async fn next(&mut self) -> Option<Waiting> {
        if let Some(waiting) = self.next_waiting() {
            return Some(waiting);
        }
        tokio::select! {
            biased;
            Some(waiting) = self.urgent.recv() => Some(waiting),
            Some(waiting) = self.interactive.recv() => Some(waiting),
            Some(waiting) = self.background.recv() => Some(waiting),
            else => None,
        }
    }

    fn next_waiting(&mut self) -> Option<Waiting> {
        if self.passed_over >= MAX_PASSED_OVER
            && let Ok(waiting) = self.background.try_recv()
        {
            return Some(waiting);
        }
        self.next_prompt().or_else(|| self.background.try_recv().ok())
    }

    fn next_prompt(&mut self) -> Option<Waiting> {
        self.urgent.try_recv().or_else(|_| self.interactive.try_recv()).ok()
    }

    fn close(&mut self) {
        for units in [&mut self.urgent, &mut self.interactive, &mut self.background] {
            units.close();
        }
    }
}

struct SingleWriter {
    connect: Connect,
    /// `None` at first, and after an error, which can leave it in any state.
    connection: Option<Arc<Mutex<SqliteConnection>>>,
    health: Health,
    max_time: Duration,
}

impl SingleWriter {
    async fn run(mut self, mut queue: Queue, stop: CancellationToken) {
        let mut is_closed = false;
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled(), if !is_closed => {
                    queue.close();
                    is_closed = true;
                    continue;
                }
                next = queue.next() => next,
            };
            let Some(waiting) = next else { break };
            let mut first = Some(waiting);
            while let Some(waiting) = first {
                first = self.run_group(waiting, &mut queue).await;
            }
        }
        self.close().await;
    }

    /// Runs one transaction. Returns the unit that waits for the next one, because this one failed before it.
    async fn run_group(&mut self, first: Waiting, queue: &mut Queue) -> Option<Waiting> {
        let began = Instant::now();
        let connection = match self.begin().await {
            Ok(connection) => connection,
            Err(error) => {
                if let Some(failures) = self.health.note_not_durable(&error) {
                    tracing::warn!(
                        event = "transaction_not_begun", %error, failures,
                        "no transaction of the database can begin"
                    );
                }
                self.close().await;
                // The others would fail for the same reason, each after the same wait.
                let error = Arc::new(error);
                for waiting in std::iter::once(first).chain(std::iter::from_fn(|| queue.next_waiting())) {
                    let _ = waiting.turn.send(Err(Arc::clone(&error)));
                }
                return None;
            }
        };
        let (mut durable, mut units, mut has_background, mut is_awaited) = (Vec::new(), 0, false, false);
        let mut has_written = false;
        let mut next = Some(first);
        while let Some(waiting) = next {
            let is_prompt = waiting.is_prompt;
            let kept = lend(&connection, waiting, &self.health).await;
            units += 1;
            has_background |= !is_prompt;
            let (last, not_last) = match kept {
                Some(Kept { durable: sender, has_written: is_changed }) => {
                    is_awaited |= is_prompt && sender.is_some();
                    has_written |= is_changed;
                    durable.extend(sender);
                    ("RELEASE unit", "RELEASE unit; SAVEPOINT unit")
                }
                None => ("ROLLBACK TO unit", "ROLLBACK TO unit"),
            };
            next = if began.elapsed() >= self.max_time {
                None
            } else if is_awaited {
                queue.next_prompt()
            } else {
                queue.next_waiting()
            };
            let statement = if next.is_some() { not_last } else { last };
            if let Err(error) = connection.lock().await.execute(sqlx::query(statement)).await {
                tracing::warn!(
                    event = "transaction_rolled_back", %error, units,
                    "a transaction of the database was rolled back"
                );
                self.close().await;
                durable.into_iter().for_each(|sender| drop(sender.send(Err(None))));
                return next;
            }
        }
        queue.passed_over =
            if has_background || queue.background.is_empty() { 0 } else { queue.passed_over + 1 };
        let started = Instant::now();
        let committed = connection.lock().await.execute(sqlx::query("COMMIT")).await;
        if !durable.is_empty() {
            metrics::record_commit(units, started.elapsed());
        }
        match committed {
            Ok(_) => {
                if has_written {
                    self.health.note_durable();
                }
                durable.into_iter().for_each(|sender| drop(sender.send(Ok(()))));
            }
            Err(error) => {
                if let Some(failures) = self.health.note_not_durable(&error) {
                    tracing::warn!(
                        event = "commit_failed", %error, units, failures,
                        "a transaction of the database cannot be committed"
                    );
                }
                drop(connection);
                self.close().await;
                let error = Arc::new(error);
                durable.into_iter().for_each(|sender| drop(sender.send(Err(Some(Arc::clone(&error))))));
            }
        }
        None
    }

    async fn begin(&mut self) -> sqlx::Result<Arc<Mutex<SqliteConnection>>> {
        let connection = self.connected().await?;
        connection.lock().await.execute(sqlx::query("BEGIN IMMEDIATE; SAVEPOINT unit")).await?;
        Ok(connection)
    }

    async fn connected(&mut self) -> sqlx::Result<Arc<Mutex<SqliteConnection>>> {
        if let Some(connection) = &self.connection {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(Mutex::new((self.connect)().await?));
        self.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// SQLite rolls an open transaction back.
    async fn close(&mut self) {
        if let Some(connection) = self.connection.take().and_then(Arc::into_inner)
            && let Err(error) = connection.into_inner().close().await
        {
            tracing::warn!(
                event = "connection_not_closed", %error,
                "cannot close the writing connection of the database"
            );
        }
    }
}

/// Gives the connection away until the unit has ended. `None`: it is to be rolled back.
async fn lend(connection: &Arc<Mutex<SqliteConnection>>, waiting: Waiting, health: &Health) -> Option<Kept> {
    let (back, kept) = oneshot::channel();
    let connection = Arc::clone(connection).lock_owned().await;
    let turn = Turn { connection, back, health: health.clone(), has_written: false };
    // Nobody may wait for it anymore. It is dropped then.
    let _ = waiting.turn.send(Ok(turn));
    kept.await.ok()
}

#[cfg(test)]
mod tests;
