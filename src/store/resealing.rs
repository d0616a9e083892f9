//! Encrypts rows again, with another key. A row that changes meanwhile stays as it is.

use super::convert::{hex, json_list};
use super::engine::{query, query_as, query_scalar};
use super::error::Result;
use super::row_locks::lock_members;
use super::sqlite::Store;
use crate::domain::{MemberId, Sealed};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

/// A table with a sealed value for each member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealedTable {
    Credentials,
    AccessTokens,
}

impl SealedTable {
    fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::AccessTokens => "access_tokens",
        }
    }
}

/// The same value, sealed again.
#[derive(Clone, Debug)]
pub(crate) struct Resealed {
    pub(crate) member: MemberId,
    pub(crate) old: Sealed,
    pub(crate) new: Sealed,
}

#[derive(Serialize)]
struct ResealedRow<'a> {
    member: &'a MemberId,
    /// In hexadecimal, like the others.
    old: String,
    digest: String,
    key_id: &'a str,
    sealed: String,
}

impl<'a> ResealedRow<'a> {
    fn new(row: &'a Resealed) -> Self {
        Self {
            member: &row.member,
            old: hex(&row.old.bytes),
            digest: hex(&digest_of(&row.old.bytes)),
            key_id: &row.new.key_id,
            sealed: hex(&row.new.bytes),
        }
    }
}

/// What a refresh under way that knows these bytes is recognized by.
pub(super) fn digest_of(sealed: &[u8]) -> Vec<u8> {
    digest(&SHA256, sealed).as_ref().to_vec()
}

impl Store {
    /// Up to `limit` values of a table that a key sealed, in the order of their members, from `after` on.
    pub(crate) async fn sealed_page(
        &self,
        table: SealedTable,
        key_id: &str,
        after: Option<&MemberId>,
        limit: u32,
    ) -> Result<Vec<(MemberId, Sealed)>> {
        let table = table.name();
        let from = if after.is_some() { "member_id > $2" } else { "CAST($2 AS TEXT) IS NULL" };
        let rows: Vec<(String, Vec<u8>)> = query_as(format!(
            "SELECT member_id, sealed FROM {table} WHERE key_id = $1 AND {from} ORDER BY member_id LIMIT $3"
        ))
        .bind(key_id)
        .bind(after.map(MemberId::as_str))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let sealed = |bytes| Sealed { key_id: key_id.to_owned(), bytes };
        Ok(rows.into_iter().map(|(member, bytes)| (MemberId::new(member), sealed(bytes))).collect())
    }

    /// Stores the values that are still the old ones. Returns their number.
    pub(crate) async fn reseal(&self, table: SealedTable, rows: &[Resealed]) -> Result<u64> {
        let members = rows.iter().map(|row| &row.member).collect::<Vec<_>>();
        let rows = json_list(&rows.iter().map(ResealedRow::new).collect::<Vec<_>>())?;
        let trace = match table {
            SealedTable::Credentials => ", resealed_from = unhex(j.value ->> 'digest')",
            SealedTable::AccessTokens => "",
        };
        let table = table.name();
        let update = query(format!(
            "UPDATE {table} SET key_id = j.value ->> 'key_id', sealed = unhex(j.value ->> 'sealed'){trace}
             FROM json_each($1) j
             WHERE member_id = j.value ->> 'member' AND {table}.sealed = unhex(j.value ->> 'old')"
        ))
        .bind(rows);
        self.write(async |mut tx| {
            lock_members(&mut tx, &members).await?;
            Ok(update.clone().execute(&mut tx).await?.rows_affected())
        })
        .await
    }

    /// How many values of a table a key sealed.
    pub(crate) async fn count_sealed(&self, table: SealedTable, key_id: &str) -> Result<u64> {
        let count: i64 = query_scalar(format!("SELECT count(*) FROM {} WHERE key_id = $1", table.name()))
            .bind(key_id)
            .fetch_one(&self.reader)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// How many refresh tokens any other key sealed. Cheap if there are few.
    pub(crate) async fn count_not_sealed_with(&self, key_id: &str) -> Result<u64> {
        let count: i64 = query_scalar("SELECT count(*) FROM credentials WHERE key_id < $1 OR key_id > $1")
            .bind(key_id)
            .fetch_one(&self.reader)
            .await?;
        Ok(count.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn values_are_counted_by_their_table_and_the_key_that_sealed_them() {
        let (store, _folder) = new_store().await;
        for insert in [
            "INSERT INTO members (member_id, email, subject, added_at, updated_at)
                 VALUES ('a', 'a', 'a', 0, 0), ('b', 'b', 'b', 0, 0), ('c', 'c', 'c', 0, 0)",
            "INSERT INTO credentials (member_id, key_id, sealed, updated_at)
                 VALUES ('a', 'old', x'00', 0), ('b', 'old', x'00', 0), ('c', 'new', x'00', 0)",
            "INSERT INTO access_tokens (member_id, key_id, sealed, refresh_at)
                 VALUES ('a', 'old', x'00', 0), ('b', 'new', x'00', 0), ('c', 'new', x'00', 0)",
        ] {
            store.execute(query(insert)).await.unwrap();
        }
        let counts = async |key| {
            let credentials = store.count_sealed(SealedTable::Credentials, key).await.unwrap();
            (credentials, store.count_sealed(SealedTable::AccessTokens, key).await.unwrap())
        };
        assert_eq!(
            [counts("old").await, counts("new").await, counts("other").await],
            [(2, 1), (1, 2), (0, 0)]
        );
    }
}
