//! `audit`: who did what. Each row is written in the unit of work of what it tells.

use super::convert::millis;
use super::engine::{Tx, query};
use super::error::Result;
use super::row::RowExt;
use super::sqlite::Store;
use crate::base::random;
use crate::domain::{AuditEntry, AuditRecord, MemberId, Time};

/// Adds a row, if the store of this unit acts for somebody.
pub(super) async fn record(tx: &mut Tx, entry: AuditEntry<'_>, now: Time) -> Result<()> {
    let Some(actor) = tx.actor.as_ref().map(ToString::to_string) else { return Ok(()) };
    query(
        "INSERT INTO audit (audit_id, at, actor, action, member_id, target, affected)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(random::id(now))
    .bind(millis(now))
    .bind(actor)
    .bind(entry.action.as_str())
    .bind(entry.member.map(MemberId::as_str))
    .bind(entry.target)
    .bind(entry.affected.map(u64::cast_signed))
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts `pseudonym` in the place of a member who is being erased.
pub(super) async fn erase(tx: &mut Tx, member: &MemberId, pseudonym: &MemberId) -> Result<()> {
    query("UPDATE audit SET member_id = $2 WHERE member_id = $1")
        .bind(member.as_str())
        .bind(pseudonym.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

impl Store {
    /// Adds a row about something that writes nothing else here: a read, or an operation at the gateway. Does nothing,
    /// unless this store acts for somebody.
    pub async fn record_audit(&self, entry: AuditEntry<'_>, now: Time) -> Result<()> {
        if self.actor.is_none() {
            return Ok(());
        }
        self.write(async |mut tx| record(&mut tx, entry, now).await).await
    }

    /// The newest first, from `before` on, about one member or all.
    pub async fn audit(
        &self,
        member: Option<&MemberId>,
        since: Time,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>> {
        let of_member = if member.is_some() { "member_id = $1" } else { "CAST($1 AS TEXT) IS NULL" };
        let rows = query(format!(
            "SELECT audit_id, at, actor, action, member_id, target, affected FROM audit
             WHERE {of_member} AND audit_id >= $2 AND audit_id < $3 AND at >= $5 ORDER BY audit_id DESC LIMIT $4"
        ))
        .bind(member.map(MemberId::as_str))
        .bind(random::first_id(since))
        // After every id.
        .bind(before.unwrap_or("~"))
        .bind(limit)
        // An id can be later than its time, when the clock was set back.
        .bind(millis(since))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AuditRecord {
                    id: row.try_get("audit_id")?,
                    at: row.time("at")?,
                    actor: row.try_get("actor")?,
                    action: row.try_get("action")?,
                    member_id: row.try_get("member_id")?,
                    target: row.try_get("target")?,
                    affected: row.try_get::<Option<i64>>("affected")?.map(i64::unsigned_abs),
                })
            })
            .collect()
    }
}
