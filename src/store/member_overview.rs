//! What an operator asks about one member: their live lapses, and the emails about them. Credentials that failed.

use super::audit;
use super::engine::{query, query_as, query_scalar};
use super::lapses::{COLUMNS, read};
use super::row::RowExt;
use super::{Result, Store, millis, time};
use crate::domain::{AuditAction, AuditEntry, Lapse, LapseId, MemberId, Time};
use std::collections::BTreeMap;

/// A lapse that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLapse {
    pub lapse: Lapse,
    /// The emails that were sent about it, and when the last one was.
    pub emails: u64,
    pub last_email_at: Option<Time>,
}

/// A member whose credential does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCredential {
    pub member_id: MemberId,
    /// `rejected` or `missing`.
    pub state: String,
    /// In words.
    pub reason: String,
    pub since: Time,
    pub failures: u32,
    pub retry_at: Time,
}

impl Store {
    /// The suspected and open lapses of a member.
    pub async fn live_lapses(&self, member: &MemberId) -> Result<Vec<LiveLapse>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM lapses l WHERE l.member_id = $1 AND l.state <> 'closed' ORDER BY l.connection_id"
        );
        let rows = query(sql).bind(member.as_str()).fetch_all(&self.reader).await?;
        let mut live = Vec::new();
        for row in &rows {
            let lapse = read(row)?;
            let (emails, last) = self.emails_about(&lapse.id).await?;
            live.push(LiveLapse { lapse, emails, last_email_at: last });
        }
        Ok(live)
    }

    async fn emails_about(&self, lapse: &LapseId) -> Result<(u64, Option<Time>)> {
        let (emails, last): (i64, Option<i64>) = query_as(
            "SELECT count(*), max(n.sent_at) FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
             WHERE i.lapse_id = $1 AND n.state = 'sent' AND i.in_email IS DISTINCT FROM FALSE",
        )
        .bind(lapse.as_str())
        .fetch_one(&self.reader)
        .await?;
        Ok((emails.unsigned_abs(), last.map(time)))
    }

    /// The next enrolled members whose ids begin with a text, at most `limit`.
    pub async fn members_starting_with(&self, text: &str, limit: u32) -> Result<Vec<MemberId>> {
        let ids: Vec<String> = query_scalar(
            "SELECT m.member_id FROM members m WHERE m.member_id >= $1 AND m.member_id < $2 AND m.removed_at IS NULL
             ORDER BY m.member_id LIMIT $3",
        )
        .bind(text)
        .bind(format!("{text}{}", char::MAX))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(ids.into_iter().map(MemberId::new).collect())
    }

    /// The next `limit` failed credentials of unpaused members after `after`. `state`: only those.
    pub async fn failed_credentials(
        &self,
        state: Option<&str>,
        after: Option<&MemberId>,
        limit: u32,
    ) -> Result<Vec<FailedCredential>> {
        let rows = query(
            "SELECT f.member_id, f.state, f.reason, f.since, f.failures, f.retry_at FROM credential_failures f
             WHERE f.member_id > $1 AND ($2 IS NULL OR f.state = $2) ORDER BY f.member_id LIMIT $3",
        )
        .bind(after.map_or("", MemberId::as_str))
        .bind(state.map(str::to_owned))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(FailedCredential {
                    member_id: row.text("member_id")?,
                    state: row.text_of("state")?.to_owned(),
                    reason: row.text_of("reason")?.to_owned(),
                    since: row.time("since")?,
                    failures: row.count("failures")?,
                    retry_at: row.time("retry_at")?,
                })
            })
            .collect()
    }

    /// The failed credentials by state.
    pub async fn count_failed_credentials(&self) -> Result<BTreeMap<String, u64>> {
        self.counts("SELECT state, count(*) FROM credential_failures GROUP BY state").await
    }

    /// Lets the next sweep try the failed credentials again. Returns their number.
    pub async fn retry_credentials(&self, state: Option<&str>, now: Time) -> Result<u64> {
        let retry = query("UPDATE credential_failures SET retry_at = $1 WHERE ($2 IS NULL OR state = $2)")
            .bind(millis(now))
            .bind(state.map(str::to_owned));
        self.write(async |mut tx| {
            let retried = retry.clone().execute(&mut tx).await?.rows_affected();
            let entry = AuditEntry::new(AuditAction::MemberRetry).affected(retried);
            audit::record(&mut tx, entry.target(state), now).await?;
            Ok(retried)
        })
        .await
    }
}
