//! The handle of the database.

use super::copy_mark::verify_unmarked;
use super::engine::{Flush, Pool, Query, Tx, Urgency, Writer, per_engine, query, query_scalar};
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
        if self.place.is_gone() {
            return Err(StoreError::FileReplaced { path: self.location() });
        }
        Ok(())
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
    /// The disk is full, for example. Not when others are writing.
    pub(crate) async fn probe_write(&self) -> Result<()> {
        // A few pages, so that the write-ahead log has to grow.
        let probe = per_engine(
            "INSERT OR REPLACE INTO write_probe (id, filler) VALUES (1, randomblob(8192))",
            "INSERT INTO write_probe (id, filler) VALUES (1, decode(repeat(md5(random()::text), 512), 'hex'))
             ON CONFLICT (id) DO UPDATE SET filler = excluded.filler",
        );
        match self.interactive().execute(probe).await {
            Ok(_) | Err(StoreError::Busy) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for running statements, then closes all connections.
    pub async fn close(&self) {
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

    /// Holds the writer until the sender is dropped.
    async fn hold(store: &Store) -> tokio::sync::oneshot::Sender<()> {
        let (held, release) = tokio::sync::oneshot::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        let store = store.clone();
        tokio::spawn(async move {
            let tx = store.writer.begin(Urgency::Background).await.unwrap();
            began.send(()).unwrap();
            let _ = release.await;
            drop(tx);
        });
        begun.await.unwrap();
        held
    }

    async fn write_nothing(store: &Store) -> Result<()> {
        store.write(async |_| Ok(())).await
    }

    #[tokio::test]
    async fn an_interactive_write_fails_while_another_process_writes_and_leaves_no_transaction() {
        let (store, _folder) = store().await;
        let mut other = TestDatabase::open(store.place.file().unwrap()).await.unwrap();
        other.block_writers().await.unwrap();
        assert!(matches!(write_nothing(&store.interactive()).await, Err(StoreError::Busy)));
        drop(other);
        write_nothing(&store.interactive()).await.unwrap();
        let mut other = TestDatabase::open(store.place.file().unwrap()).await.unwrap();
        other.block_writers().await.unwrap();
    }

    #[tokio::test]
    async fn renewals_come_first_and_people_next() {
        let (store, _folder) = store().await;
        let held = hold(&store).await;
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut writes = Vec::new();
        for (name, urgency) in [
            ("sweep 1", Urgency::Background),
            ("sweep 2", Urgency::Background),
            ("press", Urgency::Interactive),
            ("renewal", Urgency::Renewal),
        ] {
            let (store, sender) = (store.clone(), sender.clone());
            writes.push(tokio::spawn(async move {
                let unit = async |_: Tx| {
                    let _ = sender.send(name);
                    Ok(())
                };
                store.write_with(urgency, Flush::Wait, unit).await.unwrap();
            }));
            tokio::task::yield_now().await;
        }
        drop((sender, held));
        for write in writes {
            write.await.unwrap();
        }
        let mut names = Vec::new();
        while let Some(name) = order.recv().await {
            names.push(name);
        }
        assert_eq!(names, ["renewal", "press", "sweep 1", "sweep 2"]);
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_rolled_back_by_itself_stops_no_later_write() {
        let (store, _folder) = store().await;
        // SQLite does this on a full disk, without telling sqlx.
        store.write(async |mut tx| query("ROLLBACK").execute(&mut tx).await.map(drop)).await.unwrap();
        for _ in 0..2 {
            write_nothing(&store).await.unwrap();
            store.probe_write().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_unit_in_a_transaction_that_another_unit_broke_runs_again() {
        let (store, _folder) = store().await;
        let held = hold(&store).await;
        let add = async |host: &str| {
            let insert = query("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ($1, 1)").bind(host);
            store.execute(insert).await
        };
        let breaking = store.write(async |mut tx| {
            query("ROLLBACK").execute(&mut tx).await?;
            query("no statement").execute(&mut tx).await
        });
        let (first, broken, last, ()) =
            tokio::join!(add("first"), breaking, add("last"), async { drop(held) });
        assert_eq!((first.unwrap(), broken.is_err(), last.unwrap()), (1, true, 1));
        assert_eq!(store.sign_in_hosts().await.unwrap(), ["first", "last"]);
    }

    #[tokio::test]
    async fn a_unit_that_fails_is_undone_alone() {
        let (store, _folder) = store().await;
        let held = hold(&store).await;
        let add = async |host: &str, fails: bool| {
            let insert = query("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ($1, 1)").bind(host);
            store
                .write(async |mut tx| {
                    insert.clone().execute(&mut tx).await?;
                    if fails { Err(StoreError::Busy) } else { Ok(()) }
                })
                .await
        };
        let (first, failed, last, ()) =
            tokio::join!(add("first", false), add("failed", true), add("last", false), async { drop(held) });
        assert_eq!((first.is_ok(), failed.is_err(), last.is_ok()), (true, true, true));
        assert_eq!(store.sign_in_hosts().await.unwrap(), ["first", "last"]);
    }

    #[tokio::test]
    async fn a_unit_whose_caller_went_away_is_undone_and_stops_nobody() {
        let (store, _folder) = store().await;
        let (began, begun) = tokio::sync::oneshot::channel();
        let abandoned = store.clone();
        let caller = tokio::spawn(async move {
            let began = std::sync::Mutex::new(Some(began));
            abandoned
                .write(async |mut tx| {
                    query("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ('abandoned', 1)")
                        .execute(&mut tx)
                        .await?;
                    let _ = began.lock().unwrap().take().map(|began| began.send(()));
                    std::future::pending::<Result<()>>().await
                })
                .await
        });
        begun.await.unwrap();
        caller.abort();
        write_nothing(&store).await.unwrap();
        assert_eq!(store.sign_in_hosts().await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_written_fails_the_probe() {
        let (store, _folder) = store().await;
        store.probe_write().await.unwrap();
        store
            .write(async |mut tx| query("PRAGMA query_only = ON").execute(&mut tx).await.map(drop))
            .await
            .unwrap();
        let error = store.probe_write().await.unwrap_err();
        assert!(matches!(&error, StoreError::Database(_)), "{error}");
    }

    #[tokio::test]
    async fn an_interactive_write_fails_while_this_process_writes() {
        let (store, _folder) = store().await;
        let held = hold(&store).await;
        assert!(matches!(write_nothing(&store.interactive()).await, Err(StoreError::Busy)));
        drop(held);
        write_nothing(&store.interactive()).await.unwrap();
    }
}
