//! `key_canaries`, and the keys that sealed `credentials`.

use super::engine::{query, query_as, query_scalar};
use super::{Result, Store};
use crate::domain::{MemberId, Sealed};

impl Store {
    /// The ids of the keys that sealed stored refresh tokens, each with their number.
    pub(crate) async fn credentials_by_key(&self) -> Result<Vec<(String, u64)>> {
        let rows: Vec<(String, i64)> =
            query_as("SELECT key_id, count(*) FROM credentials GROUP BY key_id ORDER BY key_id")
                .fetch_all(&self.reader)
                .await?;
        Ok(rows.into_iter().map(|(key_id, count)| (key_id, count.unsigned_abs())).collect())
    }

    /// Up to `limit` stored refresh tokens that a key sealed.
    pub(crate) async fn sealed_with(&self, key_id: &str, limit: u32) -> Result<Vec<(MemberId, Sealed)>> {
        let rows: Vec<(String, Vec<u8>)> =
            query_as("SELECT member_id, sealed FROM credentials WHERE key_id = $1 LIMIT $2")
                .bind(key_id)
                .bind(limit)
                .fetch_all(&self.reader)
                .await?;
        let sealed = |bytes| Sealed { key_id: key_id.to_owned(), bytes };
        Ok(rows.into_iter().map(|(member, bytes)| (MemberId::new(member), sealed(bytes))).collect())
    }

    pub(crate) async fn key_canary(&self, key_id: &str) -> Result<Option<Sealed>> {
        let bytes: Option<Vec<u8>> = query_scalar("SELECT sealed FROM key_canaries WHERE key_id = $1")
            .bind(key_id)
            .fetch_optional(&self.reader)
            .await?;
        Ok(bytes.map(|bytes| Sealed { key_id: key_id.to_owned(), bytes }))
    }

    /// Stores the canary of a key, in place of an earlier one.
    pub(crate) async fn store_key_canary(&self, canary: &Sealed) -> Result<()> {
        self.write(async |mut tx| {
            query(
                "INSERT INTO key_canaries (key_id, sealed) VALUES ($1, $2)
                 ON CONFLICT (key_id) DO UPDATE SET sealed = excluded.sealed",
            )
            .bind(&canary.key_id)
            .bind(&canary.bytes)
            .execute(&mut tx)
            .await?;
            Ok(())
        })
        .await
    }
}
