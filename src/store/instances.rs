//! `instances`: the daemons that work on this database, and what becomes of the leases of those that died.
//!
//! Whether an instance is alive is judged by the clock of the database server, which all instances share.

use super::copy_mark::verify_unmarked;
use super::engine::{Tx, query, query_scalar};
use super::holder::{IS_ORPHANED, InstanceCommand, Registration};
use super::locks::InstanceLock;
use super::row::RowExt;
use super::{Result, Store, json_list, millis};
use crate::base::instances::PRESUMED_DEAD_AFTER;
use crate::domain::{InstanceId, Time};
use chrono::TimeDelta;
use std::time::Duration;

/// Between two heartbeats of an instance on a server.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Nobody else can take over a database file, so only reports read it. Each heartbeat is a write.
const HEARTBEAT_ON_FILE: Duration = Duration::from_secs(10);
/// How long charts can show a start.
const KEEP_STARTS: TimeDelta = TimeDelta::days(400);

/// A daemon, as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRecord {
    pub id: InstanceId,
    pub started_at: Time,
    /// The last heartbeat.
    pub seen_at: Time,
    pub version: String,
}

/// The keys of another instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceKeys {
    pub(crate) instance: InstanceId,
    /// The newest first.
    pub(crate) key_ids: Vec<String>,
    /// The key that it encrypts with.
    pub(crate) sealing_key: Option<String>,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The instances that are alive, this one included.
    pub live: u32,
    /// The database server's clock; `None` for a file.
    pub server_time: Option<Time>,
    /// Whether the others had presumed this instance dead. Its leases are gone.
    pub was_presumed_dead: bool,
}

/// What dead instances held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReleasedLeases {
    pub instances: u64,
    pub notices: u64,
    pub refreshes: u64,
}

impl Store {
    /// Makes this process an instance, until the lock is dropped. Other leases of this process have no holder.
    ///
    /// # Errors
    /// Those of a database that takes no work.
    pub async fn register(&self, _lock: &InstanceLock, registration: Registration, now: Time) -> Result<()> {
        let now = self.server_time().await?.unwrap_or(now);
        self.write(async |mut tx| self.insert(&mut tx, &registration, now).await).await?;
        self.holder.set(Some(registration));
        Ok(())
    }

    /// Ends this process's time as an instance. Its leases are released by then.
    pub async fn unregister(&self) -> Result<()> {
        let Some(id) = self.holder.id() else { return Ok(()) };
        self.holder.set(None);
        let delete = query("DELETE FROM instances WHERE instance_id = $1").bind(id.as_str());
        self.promptly(self.execute(delete)).await?;
        Ok(())
    }

    /// Says that this instance is alive. `None` if this process is no instance.
    ///
    /// # Errors
    /// A connection that does not answer is given up in time for another heartbeat.
    pub async fn heartbeat(&self, now: Time) -> Result<Option<Seen>> {
        let Some(registration) = self.holder.registration() else { return Ok(None) };
        self.promptly(self.beat(&registration, now)).await.map(Some)
    }

    async fn beat(&self, registration: &Registration, now: Time) -> Result<Seen> {
        let server_time = self.server_time().await?;
        let at = server_time.unwrap_or(now);
        let unit = async |mut tx: Tx| {
            let updated = query("UPDATE instances SET seen_at = $2 WHERE instance_id = $1")
                .bind(registration.id.as_str())
                .bind(millis(at))
                .execute(&mut tx)
                .await?
                .rows_affected();
            if updated == 0 {
                self.insert(&mut tx, registration, at).await?;
            }
            let live: i64 = query_scalar("SELECT count(*) FROM instances WHERE seen_at > $1")
                .bind(millis(at - presumed_dead_after()))
                .fetch_one(&mut tx)
                .await?;
            Ok(Seen { live: super::count(live), server_time, was_presumed_dead: updated == 0 })
        };
        self.write(unit).await
    }

    pub(crate) fn heartbeat_interval(&self) -> Duration {
        if self.is_shared() { HEARTBEAT } else { HEARTBEAT_ON_FILE }
    }

    /// Whether several instances can work on this database.
    pub(crate) fn is_shared(&self) -> bool {
        self.place.file().is_none()
    }

    /// The daemons that are alive, the oldest first.
    pub async fn live_daemons(&self, now: Time) -> Result<Vec<InstanceRecord>> {
        let rows = query(
            "SELECT instance_id, started_at, seen_at, version FROM instances
             WHERE command = 'run' AND seen_at > $1 ORDER BY started_at, instance_id",
        )
        .bind(millis(self.oldest_heartbeat(now).await?))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(InstanceRecord {
                    id: row.text("instance_id")?,
                    started_at: row.time("started_at")?,
                    seen_at: row.time("seen_at")?,
                    version: row.text_of("version")?.to_owned(),
                })
            })
            .collect()
    }

    /// The keys of all instances that are alive.
    pub(crate) async fn keys_of_instances(&self, now: Time) -> Result<Vec<InstanceKeys>> {
        let rows = query("SELECT instance_id, key_ids, sealing_key FROM instances WHERE seen_at > $1")
            .bind(millis(self.oldest_heartbeat(now).await?))
            .fetch_all(&self.reader)
            .await?;
        // The lock of a file proves that all others are dead.
        let holds_file = !self.is_shared() && self.holds_instance_lock();
        if !self.is_shared() && !rows.is_empty() && !self.is_instance_running()? {
            return Ok(Vec::new());
        }
        let own = self.holder.id();
        let is_alive = |keys: &InstanceKeys| !holds_file || own.as_ref() == Some(&keys.instance);
        let instances = rows
            .iter()
            .map(|row| {
                let key_ids: Vec<String> = serde_json::from_str(row.text_of("key_ids")?).unwrap_or_default();
                let sealing_key: Option<String> = row.try_get("sealing_key")?;
                Ok(InstanceKeys {
                    instance: row.text("instance_id")?,
                    sealing_key: sealing_key.or_else(|| key_ids.first().cloned()),
                    key_ids,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(instances.into_iter().filter(is_alive).collect())
    }

    /// Tells the others which keys this instance has, and encrypts with, if that has changed. Does nothing in a process that
    /// is no instance.
    pub(crate) async fn publish_keys(&self, key_ids: Vec<String>, sealing_key: String) -> Result<()> {
        let Some(mut registration) = self.holder.registration() else { return Ok(()) };
        if registration.key_ids == key_ids && registration.sealing_key == sealing_key {
            return Ok(());
        }
        let update = query("UPDATE instances SET key_ids = $2, sealing_key = $3 WHERE instance_id = $1")
            .bind(registration.id.as_str())
            .bind(json_list(&key_ids)?)
            .bind(&sealing_key);
        self.execute(update).await?;
        (registration.key_ids, registration.sealing_key) = (key_ids, sealing_key);
        self.holder.set(Some(registration));
        Ok(())
    }

    /// Deletes the instances that are dead, and releases what they held, so that others continue it.
    pub async fn release_leases_of_dead(&self, now: Time) -> Result<ReleasedLeases> {
        let oldest = self.oldest_heartbeat(now).await?;
        let instances = self.delete_dead(oldest).await?;
        let notices = self.rescue_orphaned(now).await?;
        let is_any =
            query_scalar(format!("SELECT EXISTS (SELECT 1 FROM token_refresh_leases WHERE {IS_ORPHANED})"));
        let refreshes = if is_any.fetch_one(&self.reader).await? {
            let delete = query(format!("DELETE FROM token_refresh_leases WHERE {IS_ORPHANED}"));
            self.execute(delete).await?
        } else {
            0
        };
        Ok(ReleasedLeases { instances, notices, refreshes })
    }

    /// # Errors
    /// Those of a database that takes no work.
    async fn insert(&self, tx: &mut Tx, registration: &Registration, seen_at: Time) -> Result<()> {
        // A copy deletes all instances, so that none goes on.
        verify_unmarked(tx, &self.place).await?;
        query(
            "INSERT INTO instances (instance_id, command, version, key_ids, started_at, seen_at, sealing_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(registration.id.as_str())
        .bind(registration.command.as_str())
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(json_list(&registration.key_ids)?)
        .bind(millis(registration.started_at))
        .bind(millis(seen_at))
        .bind(&registration.sealing_key)
        .execute(&mut *tx)
        .await?;
        if registration.command == InstanceCommand::Run {
            record_start(tx, registration, seen_at).await?;
        }
        Ok(())
    }

    async fn delete_dead(&self, oldest: Time) -> Result<u64> {
        // The lock of the file proves that all others are dead.
        let only = if self.is_shared() { None } else { self.holder.id() };
        let is_dead = match &only {
            Some(_) => "instance_id <> $1",
            None => "seen_at <= $1",
        };
        let bound = |query: super::engine::Query| match &only {
            Some(id) => query.bind(id.as_str()),
            None => query.bind(millis(oldest)),
        };
        // Usually there are none. A read is enough to know that.
        let dead = bound(query(format!("SELECT 1 FROM instances WHERE {is_dead} LIMIT 1")));
        if dead.fetch_optional(&self.reader).await?.is_none() {
            return Ok(0);
        }
        self.execute(bound(query(format!("DELETE FROM instances WHERE {is_dead}")))).await
    }

    /// Instances that were not seen since are dead.
    pub(super) async fn oldest_heartbeat(&self, now: Time) -> Result<Time> {
        if self.is_shared() {
            return Ok(self.server_time().await?.unwrap_or(now) - presumed_dead_after());
        }
        Ok(now - TimeDelta::from_std(HEARTBEAT_ON_FILE * 3).unwrap_or(TimeDelta::MAX))
    }
}

/// An instance that was presumed dead has started before.
async fn record_start(tx: &mut Tx, registration: &Registration, now: Time) -> Result<()> {
    query(
        "INSERT INTO instance_starts (instance_id, started_at, version) VALUES ($1, $2, $3)
         ON CONFLICT (instance_id) DO NOTHING",
    )
    .bind(registration.id.as_str())
    .bind(millis(registration.started_at))
    .bind(env!("CARGO_PKG_VERSION"))
    .execute(&mut *tx)
    .await?;
    query("DELETE FROM instance_starts WHERE started_at < $1")
        .bind(millis(now - KEEP_STARTS))
        .execute(tx)
        .await?;
    Ok(())
}

fn presumed_dead_after() -> TimeDelta {
    TimeDelta::from_std(PRESUMED_DEAD_AFTER).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn an_instance_misses_a_heartbeat_without_being_presumed_dead_and_does_not_write_all_the_time() {
        let (store, _folder) = new_store().await;
        let (interval, now) = (store.heartbeat_interval(), Time::UNIX_EPOCH);
        assert!(interval >= Duration::from_secs(1));
        assert!(store.oldest_heartbeat(now).await.unwrap() < now - interval * 2);
    }
}
