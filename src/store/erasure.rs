//! Erases members, also from the bytes of the files.

use super::audit;
use super::engine::{Tx, query, query_scalar};
use super::row_locks::{lock_member, lock_members_of_subjects};
use super::{Result, Store, json_list, link_requests};
use crate::domain::{AuditAction, AuditEntry, MemberId, Time};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::collections::BTreeSet;
use std::time::Duration;

/// Each deletes rows about the member `$1`. The other tables' rows go with the member's.
const STATEMENTS: [&str; 10] = [
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

/// How long emptying the write-ahead log waits at a time, and how often.
const LOG_WAIT: Duration = Duration::from_millis(500);
const LOG_ATTEMPTS: u32 = 8;
/// Between two attempts. Others can write.
const LOG_PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Deletes a member with all history. The rows of the audit have `pseudonym` instead of the id from then on. Returns
    /// `false` when there is no such member. Traces stay in the write-ahead log until [`Store::truncate_log`].
    pub async fn erase_member(&self, id: &MemberId, pseudonym: &MemberId, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            lock_member(&mut tx, id).await?;
            erase(&mut tx, id, pseudonym, now).await
        })
        .await
    }

    /// Like [`Store::erase_member`], for each member with one of these subjects: all of them, or none. Returns how many
    /// there were.
    pub(crate) async fn erase_subjects(
        &self,
        subjects: &BTreeSet<String>,
        pseudonym: impl Fn(&MemberId) -> MemberId,
        now: Time,
    ) -> Result<u64> {
        let (subjects, pseudonym) = (json_list(&subjects.iter().collect::<Vec<_>>())?, &pseudonym);
        self.write(async |mut tx| {
            lock_members_of_subjects(&mut tx, &subjects).await?;
            // Those whom an import would enroll.
            query("DELETE FROM import_rows WHERE subject IN (SELECT value FROM json_each($1))")
                .bind(&subjects)
                .execute(&mut tx)
                .await?;
            let ids: Vec<String> = query_scalar(
                "SELECT member_id FROM members WHERE subject IN (SELECT value FROM json_each($1)) ORDER BY member_id",
            )
            .bind(&subjects)
            .fetch_all(&mut tx)
            .await?;
            let mut erased = 0;
            for id in ids.into_iter().map(MemberId::new) {
                erased += u64::from(erase(&mut tx, &id, &pseudonym(&id), now).await?);
            }
            Ok(erased)
        })
        .await
    }

    /// Empties the write-ahead log, which holds earlier versions of the pages. Waits a few seconds for running reads, also
    /// of other processes. Returns `false` when they took too long. PostgreSQL recycles its log by itself.
    pub async fn truncate_log(&self) -> Result<bool> {
        let Some(path) = self.place.file() else { return Ok(true) };
        self.verify_file()?;
        // Not the writing connection: nobody waits while it waits.
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(LOG_WAIT)
            .disable_statement_logging()
            .connect()
            .await?;
        let mut is_empty = false;
        for attempt in 0..LOG_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(LOG_PAUSE).await;
            }
            let busy: i64 =
                sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
            is_empty = busy == 0;
            if is_empty {
                break;
            }
        }
        connection.close().await?;
        Ok(is_empty)
    }
}

/// The member is locked. Returns whether there was one.
async fn erase(tx: &mut Tx, id: &MemberId, pseudonym: &MemberId, now: Time) -> Result<bool> {
    link_requests::delete_orphan_domain(tx, id).await?;
    mark(tx, id).await?;
    let is_known = delete_marked(tx, id).await?;
    audit::erase(tx, id, pseudonym).await?;
    unmark(tx).await?;
    if is_known {
        audit::record(tx, AuditEntry::new(AuditAction::MemberErase).about(pseudonym), now).await?;
    }
    Ok(is_known)
}

/// Deletes a member with all history, except the audit. The member is locked. Returns whether there was one.
pub(super) async fn delete_rows(tx: &mut Tx, id: &MemberId) -> Result<bool> {
    mark(tx, id).await?;
    let is_known = delete_marked(tx, id).await?;
    unmark(tx).await?;
    Ok(is_known)
}

/// Without the mark, the database refuses to delete transitions, and to change the audit.
async fn mark(tx: &mut Tx, id: &MemberId) -> Result<()> {
    query("INSERT INTO erasures (member_id) VALUES ($1)").bind(id.as_str()).execute(tx).await?;
    Ok(())
}

async fn unmark(tx: &mut Tx) -> Result<()> {
    query("DELETE FROM erasures").execute(tx).await?;
    Ok(())
}

async fn delete_marked(tx: &mut Tx, id: &MemberId) -> Result<bool> {
    for statement in STATEMENTS {
        query(statement).bind(id.as_str()).execute(&mut *tx).await?;
    }
    let delete = query("DELETE FROM members WHERE member_id = $1").bind(id.as_str());
    Ok(delete.execute(tx).await?.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ConnectionId, Time};
    use crate::store::engine::query_scalar;
    use crate::store::testing::new_store;
    use crate::store::verified;

    #[tokio::test]
    async fn a_source_is_forgotten_with_the_last_member_who_has_it() {
        let (store, _folder) = new_store().await;
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
            let record = verified::record(&rare, member, Time::UNIX_EPOCH).unwrap().unwrap();
            store.execute(record).await.unwrap();
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
