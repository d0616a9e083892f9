//! The queue of mails: `notices`, `notice_items` and `attempts`, as a delivery works on them.

use super::notices::{COLUMNS, item, read};
use super::{Result, Store, count, millis};
use crate::domain::{LapseId, Notice, NoticeId, NoticeItem, NoticeState, Status, Time};
use sqlx::{Sqlite, Transaction};

/// A notice in the hands of one delivery, until its lease runs out.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The notice, as it was when it was claimed.
    pub notice: Notice,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many earlier attempts were refused for now.
    pub(crate) failures: u32,
    /// How many earlier attempts may have been accepted without our learning it: the connection broke, or the process
    /// ended after the attempt's unsubscribe token was kept, which is the last thing before the mail is handed over.
    pub(crate) unconfirmed: u32,
    /// How many attempts in a row, up to now, waited for something that is not the notice's fault.
    pub(crate) waits: u32,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The mail server accepted it.
    Sent,
    /// Refused for now.
    Retry,
    /// Something else is in the way: the gateway, a log-in, a credential.
    Waiting,
    /// Refused for good.
    Abandoned,
    /// The connection broke before the server's answer to the whole mail.
    Unconfirmed,
    /// No longer needed.
    Cancelled,
    /// The process ended, or the lease ran out.
    Interrupted,
}

impl AttemptOutcome {
    /// The spelling in the database and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Waiting => "waiting",
            Self::Abandoned => "abandoned",
            Self::Unconfirmed => "unconfirmed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What becomes of a claimed notice.
#[derive(Clone, Debug)]
pub struct Ending {
    /// How the attempt ended.
    pub outcome: AttemptOutcome,
    /// Why, as a reason code.
    pub reason: &'static str,
    /// What was said, masked.
    pub detail: Option<String>,
    /// When to try again; for the outcomes that try again.
    pub again_at: Option<Time>,
}

/// Takes the lapses of `connection` out of notices that have not begun to be sent; a notice with nothing left to say
/// is cancelled.
pub(super) async fn cancel_for_lapse(
    tx: &mut Transaction<'_, Sqlite>,
    lapse: &LapseId,
    reason: &str,
) -> Result<()> {
    let waiting: Vec<String> = sqlx::query_scalar(
        "UPDATE notice_items SET live = 0 WHERE lapse_id = $1 AND live = 1 AND EXISTS
            (SELECT 1 FROM notices n WHERE n.notice_id = notice_items.notice_id AND n.state IN ('queued', 'held'))
         RETURNING notice_id",
    )
    .bind(lapse.as_str())
    .fetch_all(&mut **tx)
    .await?;
    for notice in waiting {
        sqlx::query(
            "UPDATE notices SET state = 'cancelled', reason = $2 WHERE notice_id = $1 AND NOT EXISTS
                (SELECT 1 FROM notice_items i WHERE i.notice_id = $1 AND i.live = 1)",
        )
        .bind(notice)
        .bind(reason)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Whether a notice is still in the hands of this attempt. One whose lease ran out may be in another's: two must not
/// send it.
pub(super) async fn still_claimed(
    tx: &mut Transaction<'_, Sqlite>,
    notice: &NoticeId,
    attempt: u32,
) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM notices WHERE notice_id = $1 AND state = 'sending' AND attempts = $2)",
    )
    .bind(notice.as_str())
    .bind(attempt)
    .fetch_one(&mut **tx)
    .await?)
}

/// Adds an attempt that waits to the row of those that waited just before it. `false` when there is none.
async fn join_wait(
    tx: &mut Transaction<'_, Sqlite>,
    claim: &Claim,
    ending: &Ending,
    now: Time,
) -> Result<bool> {
    let joined = sqlx::query(
        "UPDATE attempts SET count = count + 1, finished_at = $3, detail = $4, reason = $5,
            last_at = (SELECT a.started_at FROM attempts a WHERE a.notice_id = $1 AND a.attempt = $2)
         WHERE notice_id = $1 AND outcome = 'waiting'
           AND attempt = (SELECT max(a.attempt) FROM attempts a WHERE a.notice_id = $1 AND a.attempt < $2)
           AND attempt > (SELECT fresh_after FROM notices n WHERE n.notice_id = $1)",
    )
    .bind(claim.notice.id.as_str())
    .bind(claim.attempt)
    .bind(millis(now))
    .bind(&ending.detail)
    .bind(ending.reason)
    .execute(&mut **tx)
    .await?
    .rows_affected();
    if joined == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM attempts WHERE notice_id = $1 AND attempt = $2")
        .bind(claim.notice.id.as_str())
        .bind(claim.attempt)
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

impl Store {
    /// Takes the notice that is due first into this delivery's hands until `leased_until`, and records that an attempt
    /// began.
    pub async fn claim_notice(&self, now: Time, leased_until: Time) -> Result<Option<Claim>> {
        let due: Option<String> = sqlx::query_scalar(
            "SELECT notice_id FROM notices WHERE state = 'queued' AND not_before <= $1 ORDER BY not_before LIMIT 1",
        )
        .bind(millis(now))
        .fetch_optional(&self.reader)
        .await?;
        if due.is_none() {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE notices AS n SET state = 'sending', attempts = attempts + 1, leased_until = $2
             WHERE notice_id = (SELECT notice_id FROM notices WHERE state = 'queued' AND not_before <= $1
                                ORDER BY not_before LIMIT 1)
             RETURNING {}",
            COLUMNS.replace("n.", "")
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(millis(now))
            .bind(millis(leased_until))
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut notice = read(&row)?.notice;
        let earlier: Vec<(String, i64, bool)> = sqlx::query_as(
            "SELECT coalesce(outcome, 'interrupted'), count, EXISTS (SELECT 1 FROM unsubscribe_tokens u
                WHERE u.notice_id = attempts.notice_id AND u.attempt = attempts.attempt)
             FROM attempts WHERE notice_id = $1
               AND attempt > (SELECT fresh_after FROM notices n WHERE n.notice_id = $1) ORDER BY attempt DESC",
        )
        .bind(notice.id.as_str())
        .fetch_all(&mut *tx)
        .await?;
        let is = |outcome: &str, one: AttemptOutcome| outcome == one.as_str();
        let failures = earlier.iter().filter(|(outcome, ..)| is(outcome, AttemptOutcome::Retry)).count();
        let waiting = earlier.iter().take_while(|(outcome, ..)| is(outcome, AttemptOutcome::Waiting));
        let waits = count(waiting.map(|(_, attempts, _)| attempts).sum());
        let unconfirmed = earlier
            .iter()
            .filter(|(outcome, _, handed_over)| {
                is(outcome, AttemptOutcome::Unconfirmed)
                    || (is(outcome, AttemptOutcome::Interrupted) && *handed_over)
            })
            .count();
        sqlx::query("INSERT INTO attempts (notice_id, attempt, started_at) VALUES ($1, $2, $3)")
            .bind(notice.id.as_str())
            .bind(notice.attempts)
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        let items = sqlx::query(
            "SELECT lapse_id, connection_id, step FROM notice_items WHERE notice_id = $1
                   AND (live = 1 OR EXISTS (SELECT 1 FROM notices n
                        WHERE n.notice_id = $1 AND (n.resend_of IS NOT NULL OR n.kind = 'recovered')))
                 ORDER BY connection_id",
        )
        .bind(notice.id.as_str())
        .fetch_all(&mut *tx)
        .await?;
        notice.items = items.iter().map(item).collect::<Result<_>>()?;
        tx.commit().await?;
        Ok(Some(Claim {
            attempt: notice.attempts,
            failures: failures as u32,
            waits,
            unconfirmed: unconfirmed as u32,
            notice,
        }))
    }

    /// What of a claimed notice is still to be said: its items whose lapse is open, with the connection's status now.
    pub async fn still_needed(
        &self,
        notice: &NoticeId,
    ) -> Result<Vec<(NoticeItem, super::StoredConnection)>> {
        let sql = format!(
            "SELECT i.lapse_id, i.connection_id, i.step, {} FROM notice_items i
             JOIN lapses l ON l.lapse_id = i.lapse_id
             JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
             WHERE i.notice_id = $1 AND l.state = 'open'
               AND (i.live = 1 OR (SELECT resend_of FROM notices n WHERE n.notice_id = $1) IS NOT NULL)
             ORDER BY i.connection_id",
            super::connections::COLUMNS
        );
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(notice.as_str()).fetch_all(&self.reader).await?;
        let mut needed = Vec::new();
        for row in &rows {
            let connection = super::connections::read(row)?;
            if connection.connection.status.as_ref().is_some_and(Status::is_broken) {
                needed.push((item(row)?, connection));
            }
        }
        Ok(needed)
    }

    /// Ends an attempt. `told` are the items that the mail spoke of, where it was sent; the others are free to be
    /// planned anew. Gives `false` when the lease had run out and the notice is no longer this attempt's.
    pub async fn end_attempt(
        &self,
        claim: &Claim,
        ending: &Ending,
        told: &[NoticeItem],
        now: Time,
    ) -> Result<bool> {
        let state = match ending.outcome {
            AttemptOutcome::Sent => NoticeState::Sent,
            AttemptOutcome::Abandoned => NoticeState::Abandoned,
            AttemptOutcome::Cancelled => NoticeState::Cancelled,
            _ => NoticeState::Queued,
        };
        let mut tx = self.begin().await?;
        let mine = sqlx::query(
            "UPDATE notices SET state = $3, reason = $4, leased_until = NULL, not_before = coalesce($5, not_before),
                sent_at = CASE WHEN $3 = 'sent' THEN $6 ELSE sent_at END
             WHERE notice_id = $1 AND state = 'sending' AND attempts = $2",
        )
        .bind(claim.notice.id.as_str())
        .bind(claim.attempt)
        .bind(state.as_str())
        .bind(ending.reason)
        .bind(ending.again_at.map(millis))
        .bind(millis(now))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if mine == 0 {
            return Ok(false);
        }
        if ending.outcome != AttemptOutcome::Waiting || !join_wait(&mut tx, claim, ending, now).await? {
            sqlx::query(
                "UPDATE attempts SET finished_at = $3, outcome = $4, detail = $5, reason = $6
                 WHERE notice_id = $1 AND attempt = $2",
            )
            .bind(claim.notice.id.as_str())
            .bind(claim.attempt)
            .bind(millis(now))
            .bind(ending.outcome.as_str())
            .bind(&ending.detail)
            .bind(ending.reason)
            .execute(&mut *tx)
            .await?;
        }
        if matches!(ending.outcome, AttemptOutcome::Sent | AttemptOutcome::Cancelled) {
            let told: Vec<&str> = told.iter().map(|item| item.lapse_id.as_str()).collect();
            sqlx::query(
                "UPDATE notice_items SET live = 0 WHERE notice_id = $1
                 AND lapse_id NOT IN (SELECT value FROM json_each($2))",
            )
            .bind(claim.notice.id.as_str())
            .bind(super::json_list(&told)?)
            .execute(&mut *tx)
            .await?;
        }
        if state != NoticeState::Queued {
            sqlx::query(
                "UPDATE lapses SET plan_at = $2 WHERE state = 'open'
                 AND lapse_id IN (SELECT lapse_id FROM notice_items WHERE notice_id = $1)",
            )
            .bind(claim.notice.id.as_str())
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        }
        let may_have_arrived = matches!(ending.outcome, AttemptOutcome::Sent | AttemptOutcome::Unconfirmed);
        if !may_have_arrived {
            for sql in [
                "DELETE FROM links WHERE notice_id = $1 AND attempt = $2",
                "DELETE FROM unsubscribe_tokens WHERE notice_id = $1 AND attempt = $2",
            ] {
                sqlx::query(sql).bind(claim.notice.id.as_str()).bind(claim.attempt).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Frees the notices whose delivery did not come to an end: those whose lease ran out, or all (`everything`) when
    /// this process is the only one and delivers none just now. Gives how many.
    pub async fn free_interrupted(&self, now: Time, everything: bool) -> Result<u64> {
        // An idle daemon takes no write lock for this.
        let any: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM notices WHERE state = 'sending' AND ($2 OR leased_until <= $1))",
        )
        .bind(millis(now))
        .bind(everything)
        .fetch_one(&self.reader)
        .await?;
        if !any {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE attempts SET finished_at = $1, outcome = 'interrupted' WHERE finished_at IS NULL
               AND (notice_id, attempt) IN (SELECT notice_id, attempts FROM notices
                                            WHERE state = 'sending' AND ($2 OR leased_until <= $1))",
        )
        .bind(millis(now))
        .bind(everything)
        .execute(&mut *tx)
        .await?;
        let freed = sqlx::query(
            "UPDATE notices SET state = 'queued', reason = 'interrupted', leased_until = NULL
             WHERE state = 'sending' AND ($2 OR leased_until <= $1)",
        )
        .bind(millis(now))
        .bind(everything)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(freed)
    }
}
