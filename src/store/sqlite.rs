//! The handle of the database.

use super::copy_mark::verify_unmarked;
use super::engine::{Flush, Health, Pool, Query, Tx, Urgency, Writer, per_engine, query, query_scalar};
use super::file_identity::FileIdentity;
use super::holder::Holder;
use super::place::Place;
use super::{Result, StoreError, time};
use crate::domain::{Actor, EventTypes, Time};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::Notify;

/// How long a background write waits for its turn.
const BACKGROUND_WAIT: Duration = Duration::from_secs(120);
/// How often a unit of work runs at most, if the database gives it up.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; longer before the others.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a database that works takes at most for next to nothing.
const PROMPT: Duration = Duration::from_secs(5);
/// How long a write waits while a person waits for it.
pub(crate) const INTERACTIVE_WAIT: Duration = Duration::from_secs(3);

/// The file, or the start of the server and the name of the database.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    File(FileIdentity),
    Server(String),
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) writer: Writer,
    pub(super) reader: Pool,
    pub(super) place: Place,
    /// Notified when a write or a new connection finds the file deleted or replaced.
    pub(super) file_loss: Arc<Notify>,
    /// Whether this process holds the [`super::InstanceLock`].
    pub(super) instance: Arc<AtomicBool>,
    /// Named by the leases of this process.
    pub(super) holder: Holder,
    /// The events that the writes record.
    pub(super) events: EventTypes,
    /// Whether members who share an address get their own notices.
    pub(super) notifies_each_member: bool,
    /// The one who writes, for the audit. `None`: the daemon by itself, which is not audited.
    pub(super) actor: Option<Arc<Actor>>,
    /// Whether a person waits for the writes.
    pub(super) interactive: bool,
    /// Whether the writes belong to a copy, which alone writes to a marked database.
    pub(super) ignores_mark: bool,
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

    /// A handle whose writes leave rows in the audit: what an operator asks for, in the same unit of work.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor: Some(Arc::new(actor)), ..self.clone() }
    }

    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Runs a unit of work and waits until it is durable. The unit reads what it depends on, and writes, through its `Tx`;
    /// with an error, everything it wrote is undone. It can run again, if the database gives it up for another one.
    ///
    /// # Errors
    /// The unit's, [`StoreError::Busy`], [`StoreError::FileReplaced`]: what it writes would be lost, and those of a database
    /// that takes no work.
    pub(super) async fn write<T>(&self, unit: impl AsyncFnOnce(Tx) -> Result<T> + Clone) -> Result<T> {
        let urgency = if self.interactive { Urgency::Interactive } else { Urgency::Background };
        self.write_with(urgency, Flush::Wait, unit).await
    }

    pub(super) async fn write_with<T>(
        &self,
        urgency: Urgency,
        flush: Flush,
        unit: impl AsyncFnOnce(Tx) -> Result<T> + Clone,
    ) -> Result<T> {
        for attempt in 1..ATTEMPTS {
            // Boxed, so that the futures of callers stay small.
            match Box::pin(self.try_write(urgency, flush, unit.clone())).await {
                Err(error) if error.is_transient() => {
                    tokio::time::sleep(PAUSE * 4_u32.pow(attempt - 1)).await
                }
                result => return result,
            }
        }
        Box::pin(self.try_write(urgency, flush, unit)).await
    }

    /// Runs one statement as a unit of work. Returns how many rows it changed.
    pub(super) async fn execute(&self, query: Query) -> Result<u64> {
        self.write(async |mut tx| Ok(query.clone().execute(&mut tx).await?.rows_affected())).await
    }

    /// Runs the unit once.
    pub(super) async fn try_write<T>(
        &self,
        urgency: Urgency,
        flush: Flush,
        unit: impl AsyncFnOnce(Tx) -> Result<T>,
    ) -> Result<T> {
        self.verify_file().inspect_err(|_| self.file_loss.notify_one())?;
        let begin = self.writer.begin(urgency);
        let work = if self.interactive {
            tokio::time::timeout(INTERACTIVE_WAIT, begin).await.map_err(|_| StoreError::Busy)??
        } else {
            tokio::time::timeout(BACKGROUND_WAIT, begin).await.map_err(|_| sqlx::Error::PoolTimedOut)??
        };
        let (mut tx, end) = work.into_tx();
        tx.recorded_events = self.events;
        tx.notifies_each_member = self.notifies_each_member;
        tx.actor.clone_from(&self.actor);
        // No copy begins while a daemon runs.
        if !self.ignores_mark && !self.holds_instance_lock() {
            verify_unmarked(&mut tx, &self.place).await?;
        }
        let value = unit(tx).await?;
        end.await?.finish(flush).await?;
        Ok(value)
    }

    /// # Errors
    /// [`StoreError::FileReplaced`].
    pub(crate) fn verify_file(&self) -> Result<()> {
        match self.place.gone() {
            Some(path) => Err(StoreError::FileReplaced { path: path.display().to_string() }),
            None => Ok(()),
        }
    }

    /// After the write-ahead log was deleted: moves what the open connections have of it into the file, as SQLite does when
    /// the last connection is closed. Does nothing if anything else was deleted or replaced. Returns whether it did.
    pub(crate) async fn rescue_log(&self) -> bool {
        let is_possible = self.place.lacks_only_its_log();
        if is_possible {
            self.close().await;
        }
        is_possible
    }

    /// Wakes one waiter when a write or a new connection finds the file deleted or replaced. Reads on open connections
    /// do not notice.
    pub(crate) fn file_loss(&self) -> Arc<Notify> {
        self.file_loss.clone()
    }

    /// The path of the file, or the URL without the password.
    pub(crate) fn location(&self) -> String {
        self.place.to_string()
    }

    /// Like [`Self::location`], from wherever it is read.
    pub(super) fn absolute_location(&self) -> String {
        match self.place.file() {
            Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string(),
            None => self.location(),
        }
    }

    /// Tells databases apart, whatever their URLs are.
    pub(super) async fn identity(&self) -> Result<Identity> {
        if let Place::File { identity, .. } = &self.place {
            return Ok(Identity::File(*identity));
        }
        let sql = "SELECT concat_ws(' ', extract(EPOCH FROM pg_postmaster_start_time()), current_database(), current_schema())";
        Ok(Identity::Server(query_scalar(sql).fetch_one(&self.reader).await?))
    }

    /// The time on the clock of the server; `None` for a file.
    pub(crate) async fn server_time(&self) -> Result<Option<Time>> {
        if self.place.file().is_some() {
            return Ok(None);
        }
        let sql = "SELECT CAST(extract(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let at: i64 = query_scalar(sql).fetch_one(&self.reader).await?;
        Ok(Some(time(at)))
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        self.promptly(query("SELECT 1").execute(&self.reader)).await?;
        Ok(())
    }

    /// Waits only briefly, for work that says whether the database answers.
    ///
    /// # Errors
    /// Also [`StoreError::Unreachable`].
    pub(super) async fn promptly<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = tokio::time::timeout(PROMPT, work).await;
        answer.unwrap_or_else(|_| {
            Err(StoreError::Unreachable { path: self.location(), reason: "it does not answer".to_owned() })
        })
    }

    /// Writes something, for the readiness check.
    ///
    /// # Errors
    /// The disk is full, or a page is damaged, for example. Not when others are writing, unless that takes as long as a
    /// transaction waits for them.
    pub(crate) async fn probe_write(&self) -> Result<()> {
        if let Some(health) = self.health() {
            health.verify_undamaged()?;
        }
        // A few pages that nothing compresses, so that the write-ahead log, or the table of a server, has to grow.
        let probe = per_engine(
            "INSERT OR REPLACE INTO write_probe (id, filler) VALUES (1, randomblob(8192))",
            "INSERT INTO write_probe (id, filler) VALUES (1, (SELECT decode(string_agg(md5(random()::text), ''), 'hex')
                FROM generate_series(1, 512)))
             ON CONFLICT (id) DO UPDATE SET filler = excluded.filler",
        );
        match self.interactive().execute(probe).await {
            Ok(_) => Ok(()),
            Err(StoreError::Busy) if !self.health().is_some_and(Health::is_locked_out) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `None` on a server.
    pub(super) fn health(&self) -> Option<&Health> {
        match &self.reader {
            Pool::Sqlite(readers) => Some(readers.health()),
            Pool::Postgres(_) => None,
        }
    }

    /// Waits for running statements, then closes all connections.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests;
