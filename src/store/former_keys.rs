//! `former_keys`: the keys that were rotated out, of which only derived keys are kept.

use super::audit;
use super::convert::{json_list, millis};
use super::engine::{Tx, query, query_scalar};
use super::error::{Result, StoreError};
use super::row::RowExt;
use super::row_locks::lock_sealed_tables;
use super::sqlite::Store;
use crate::domain::{AuditAction, AuditEntry, Sealed, Time};

/// The derived keys of a former key, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredFormerKey {
    pub(crate) key_id: String,
    pub(crate) retired_at: Time,
    pub(crate) sealed: Sealed,
}

/// # Errors
/// [`StoreError::KeyRetired`]: a row that this unit wrote is sealed with a former key. Call it after the writes: on
/// PostgreSQL, a rotation may have waited for them.
pub(super) async fn verify_in_use(tx: &mut Tx, keys: &[&str]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let retired: Option<String> = query_scalar(
        "SELECT key_id FROM former_keys WHERE key_id IN (SELECT value FROM json_each($1)) LIMIT 1",
    )
    .bind(json_list(keys)?)
    .fetch_optional(tx)
    .await?;
    retired.map_or(Ok(()), |key| Err(StoreError::KeyRetired { key }))
}

impl Store {
    /// The oldest first.
    pub(crate) async fn former_keys(&self) -> Result<Vec<StoredFormerKey>> {
        let rows = query("SELECT key_id, retired_at, sealed_with, sealed FROM former_keys ORDER BY position")
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(StoredFormerKey {
                    key_id: row.try_get("key_id")?,
                    retired_at: row.time("retired_at")?,
                    sealed: Sealed { key_id: row.try_get("sealed_with")?, bytes: row.try_get("sealed")? },
                })
            })
            .collect()
    }

    /// Replaces the sealed form of a former key's derived keys.
    pub(crate) async fn reseal_former_key(&self, key_id: &str, old: &Sealed, new: &Sealed) -> Result<u64> {
        let update =
            query("UPDATE former_keys SET sealed_with = $3, sealed = $4 WHERE key_id = $1 AND sealed = $2");
        let update = update.bind(key_id).bind(&old.bytes).bind(&new.key_id).bind(&new.bytes);
        self.execute(update).await
    }

    /// Makes a key a former one, unless something is sealed with it. From then on, nothing can be. Returns whether it is a
    /// former key now.
    pub(crate) async fn retire_key(&self, key_id: &str, derived: &Sealed, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            lock_sealed_tables(&mut tx).await?;
            let is_needed: bool = query_scalar(
                "SELECT EXISTS (SELECT 1 FROM credentials WHERE key_id = $1)
                    OR EXISTS (SELECT 1 FROM access_tokens WHERE key_id = $1)
                    OR EXISTS (SELECT 1 FROM import_rows WHERE key_id = $1)
                    OR EXISTS (SELECT 1 FROM former_keys WHERE sealed_with = $1)",
            )
            .bind(key_id)
            .fetch_one(&mut tx)
            .await?;
            if is_needed {
                return Ok(false);
            }
            let added = query(
                "INSERT INTO former_keys (key_id, position, retired_at, sealed_with, sealed)
                 SELECT $1, coalesce(max(position), 0) + 1, $2, $3, $4 FROM former_keys WHERE TRUE
                 ON CONFLICT (key_id) DO NOTHING",
            )
            .bind(key_id)
            .bind(millis(now))
            .bind(&derived.key_id)
            .bind(&derived.bytes)
            .execute(&mut tx)
            .await?
            .rows_affected();
            if added > 0 {
                query("DELETE FROM key_canaries WHERE key_id = $1").bind(key_id).execute(&mut tx).await?;
                audit::record(&mut tx, AuditEntry::new(AuditAction::KeyRetire).target(key_id), now).await?;
            }
            Ok(true)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Actor;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn a_key_that_is_retired_again_stays_as_it_is_and_is_audited_once() {
        let (store, _folder) = new_store().await;
        let store = store.acting_as(Actor::Command("ann".into()));
        let sealed = |bytes: u8| Sealed { key_id: "new".into(), bytes: vec![bytes] };
        for attempt in 1..=2 {
            let now = Time::UNIX_EPOCH + chrono::TimeDelta::hours(attempt.into());
            assert!(store.retire_key("old", &sealed(attempt), now).await.unwrap());
        }
        let retired_at = Time::UNIX_EPOCH + chrono::TimeDelta::hours(1);
        let kept = StoredFormerKey { key_id: "old".into(), retired_at, sealed: sealed(1) };
        assert_eq!(store.former_keys().await.unwrap(), [kept]);
        let audited = store.audit(None, Time::UNIX_EPOCH, None, 9).await.unwrap();
        assert_eq!(audited.len(), 1);
    }
}
