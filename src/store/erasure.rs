//! Erases members, also from the bytes of the files.

use super::audit;
use super::engine::query;
use super::open::BUSY;
use super::row_locks::lock_member;
use super::{Result, Store, link_requests};
use crate::domain::{AuditAction, AuditEntry, MemberId, Time};
use std::time::Duration;

/// How often the log is truncated at most while others read, such as a backup.
const TRUNCATIONS: u32 = 75;
const PAUSE: Duration = Duration::from_millis(800);

/// Each deletes rows about the member `$1`. The other tables' rows go with the member's.
const STATEMENTS: [&str; 11] = [
    "INSERT INTO erasures (member_id) VALUES ($1)",
    "DELETE FROM import_rows WHERE member_id = $1",
    "DELETE FROM transitions WHERE member_id = $1",
    "DELETE FROM events WHERE member_id = $1",
    "DELETE FROM links WHERE member_id = $1",
    // What others share stays theirs.
    "UPDATE notices SET member_id = (SELECT min(l.member_id) FROM notice_items i JOIN lapses l ON l.lapse_id = i.lapse_id
        WHERE i.notice_id = notices.notice_id AND l.member_id <> $1)
     WHERE member_id = $1 AND EXISTS (SELECT 1 FROM notice_items i JOIN lapses l ON l.lapse_id = i.lapse_id
        WHERE i.notice_id = notices.notice_id AND l.member_id <> $1)",
    "UPDATE unsubscribe_tokens SET member_id = (SELECT n.member_id FROM notices n
        WHERE n.notice_id = unsubscribe_tokens.notice_id)
     WHERE member_id = $1 AND EXISTS (SELECT 1 FROM notices n
        WHERE n.notice_id = unsubscribe_tokens.notice_id AND n.member_id <> $1)",
    "DELETE FROM notices WHERE member_id = $1",
    "DELETE FROM lapses WHERE member_id = $1",
    // A source can be so rare that its name tells who used it.
    "DELETE FROM verified_sources
     WHERE source IN (SELECT lower(connection_id) FROM connections WHERE member_id = $1)
       AND NOT EXISTS (SELECT 1 FROM connections k JOIN members m ON m.member_id = k.member_id
            WHERE k.member_id = verified_sources.member_id AND k.member_id <> $1 AND m.removed_at IS NULL
              AND lower(k.connection_id) = verified_sources.source)",
    "DELETE FROM connections WHERE member_id = $1",
];

impl Store {
    /// Deletes a member with all history. The rows of the audit have `pseudonym` instead of the id from then on. Returns
    /// `false` when there is no such member. Traces stay in the write-ahead log until [`Store::truncate_log`].
    pub async fn erase_member(&self, id: &MemberId, pseudonym: &MemberId, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            lock_member(&mut tx, id).await?;
            link_requests::delete_orphan_domain(&mut tx, id).await?;
            for statement in STATEMENTS {
                query(statement).bind(id.as_str()).execute(&mut tx).await?;
            }
            let known = query("DELETE FROM members WHERE member_id = $1")
                .bind(id.as_str())
                .execute(&mut tx)
                .await?
                .rows_affected();
            audit::erase(&mut tx, id, pseudonym).await?;
            query("DELETE FROM erasures").execute(&mut tx).await?;
            if known > 0 {
                audit::record(&mut tx, AuditEntry::new(AuditAction::MemberErase).about(pseudonym), now)
                    .await?;
            }
            Ok(known > 0)
        })
        .await
    }

    /// Empties the write-ahead log, which holds earlier versions of the pages. Waits for running reads, also of other
    /// processes. Returns `false` when they took too long. PostgreSQL recycles its log by itself.
    pub async fn truncate_log(&self) -> Result<bool> {
        if self.place.file().is_none() {
            return Ok(true);
        }
        for attempt in 0..TRUNCATIONS {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            if self.try_truncate_log().await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Others cannot write while this waits for readers, so it waits only briefly.
    async fn try_truncate_log(&self) -> Result<bool> {
        let (mut connection, _end) = self.writer.alone().await?.into_tx();
        query("PRAGMA busy_timeout = 200").execute(&mut connection).await?;
        let row = query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await;
        query(format!("PRAGMA busy_timeout = {}", BUSY.as_millis())).execute(&mut connection).await?;
        Ok(row?.try_get::<i64>("busy")? == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ConnectionId, Time};
    use crate::store::engine::query_scalar;
    use crate::store::verified;

    #[tokio::test]
    async fn a_source_is_forgotten_with_the_last_member_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("erasure.db").display()).parse().unwrap();
        let store = Store::open(&url).await.unwrap();
        for sql in [
            "INSERT INTO members (member_id, email, subject, poll_key, added_at, updated_at)
             VALUES ('alice', '', 'a', 1, 1, 1), ('bob', '', 'b', 2, 1, 1), ('carol', '', 'c', 3, 1, 1)",
            "INSERT INTO connections (member_id, connection_id, name, is_direct, sync_errors, first_seen_at, changed_at)
             VALUES ('alice', 'Rare', '', 0, '[]', 1, 1), ('bob', 'rare', '', 0, '[]', 1, 1)",
        ] {
            store.execute(query(sql)).await.unwrap();
        }
        let (alice, bob, carol) = (MemberId::from("alice"), MemberId::from("bob"), MemberId::from("carol"));
        let sources = async || -> i64 {
            let count = query_scalar("SELECT count(*) FROM verified_sources");
            count.fetch_one(&store.reader).await.unwrap()
        };
        let verified = async |member: &MemberId| {
            let rare = [ConnectionId::from("rare")];
            let record = async |mut tx| verified::record(&mut tx, &rare, member, Time::UNIX_EPOCH).await;
            store.write(record).await.unwrap();
        };
        verified(&bob).await;
        store.erase_member(&alice, &"erased:1".into(), Time::UNIX_EPOCH).await.unwrap();
        assert_eq!(sources().await, 1, "bob has it");
        // Carol, for whom it was verified, no longer has it.
        verified(&carol).await;
        store.erase_member(&bob, &"erased:1".into(), Time::UNIX_EPOCH).await.unwrap();
        assert_eq!(sources().await, 0);
    }
}
