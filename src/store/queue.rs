//! The delivery queue: claims, attempts, and their results.

use super::engine::{Tx, per_engine, query, query_as, query_scalar};
use super::notices::{COLUMNS, item, read};
use super::row_locks::lock_notice;
use super::{Result, Store, count, millis};
use crate::domain::{Notice, NoticeId, NoticeItem, NoticeReason, NoticeState, Status, Time};

/// A claimed notice, until its lease expires.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The notice as it was claimed.
    pub notice: Notice,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Earlier attempts with a transient failure.
    pub(crate) failures: u32,
    /// Earlier attempts that the mail server may have accepted: the connection broke, or the process ended after the
    /// attempt stored its unsubscribe token, which is the last step before the message is handed over.
    pub(crate) unknown_outcomes: u32,
    /// Consecutive deferred attempts, up to now.
    pub(crate) deferrals: u32,
    /// Whether the member asked for it on a link's page.
    pub(crate) is_resend: bool,
    /// The recipient's domain.
    pub(crate) domain: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    Sent,
    /// A transient failure; the notice is retried.
    Retry,
    /// The attempt waits for the gateway, the mail server, or a credential. That does not count against the notice.
    Deferred,
    Abandoned,
    /// The connection broke before the server's final reply.
    Unknown,
    Cancelled,
    /// The process ended, or the lease expired.
    Interrupted,
}

impl AttemptOutcome {
    /// Whether the member may have received the email.
    pub(crate) fn may_have_arrived(self) -> bool {
        matches!(self, Self::Sent | Self::Unknown)
    }

    /// The code in the database, in reports, and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Deferred => "deferred",
            Self::Abandoned => "abandoned",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The result of an attempt.
#[derive(Clone, Debug)]
pub struct AttemptResult {
    pub outcome: AttemptOutcome,
    pub reason: NoticeReason,
    /// The redacted text of the error or of the server's reply.
    pub detail: Option<String>,
    /// The next attempt; `None` when there is none.
    pub retry_at: Option<Time>,
    /// The items in the email that was sent. The planner can plan the other items again.
    pub included: Vec<NoticeItem>,
}

/// Whether this attempt still holds the notice. After the lease expires, another attempt may hold it.
pub(super) async fn is_claimed(tx: &mut Tx, notice: &NoticeId, attempt: u32) -> Result<bool> {
    lock_notice(tx, notice).await?;
    query_scalar(
        "SELECT EXISTS (SELECT 1 FROM notices WHERE notice_id = $1 AND state = 'sending' AND attempts = $2)",
    )
    .bind(notice.as_str())
    .bind(attempt)
    .fetch_one(&mut *tx)
    .await
}

/// Counts a deferred attempt in the row of the deferred attempts just before it. Returns `false` when there is none.
async fn merge_deferral(tx: &mut Tx, claim: &Claim, result: &AttemptResult, now: Time) -> Result<bool> {
    let merged = query(
        "UPDATE attempts SET count = count + 1, finished_at = $3, detail = $4, reason = $5,
            last_at = (SELECT a.started_at FROM attempts a WHERE a.notice_id = $1 AND a.attempt = $2)
         WHERE notice_id = $1 AND outcome = 'deferred'
           AND attempt = (SELECT max(a.attempt) FROM attempts a WHERE a.notice_id = $1 AND a.attempt < $2)
           AND attempt > (SELECT attempts_before_retry FROM notices n WHERE n.notice_id = $1)",
    )
    .bind(claim.notice.id.as_str())
    .bind(claim.attempt)
    .bind(millis(now))
    .bind(&result.detail)
    .bind(result.reason.as_str())
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if merged == 0 {
        return Ok(false);
    }
    query("DELETE FROM attempts WHERE notice_id = $1 AND attempt = $2")
        .bind(claim.notice.id.as_str())
        .bind(claim.attempt)
        .execute(&mut *tx)
        .await?;
    Ok(true)
}

impl Store {
    /// Claims the notice that is due first, until `leased_until`, and records the start of an attempt. `except`: not to
    /// these recipient domains.
    pub async fn claim_notice(
        &self,
        now: Time,
        leased_until: Time,
        except: &[String],
    ) -> Result<Option<Claim>> {
        let except = super::json_list(except)?;
        let due: Option<String> = query_scalar(
            "SELECT notice_id FROM notices WHERE state = 'queued' AND not_before <= $1
               AND domain NOT IN (SELECT value FROM json_each($2)) ORDER BY not_before LIMIT 1",
        )
        .bind(millis(now))
        .bind(&except)
        .fetch_optional(&self.reader)
        .await?;
        if due.is_none() {
            return Ok(None);
        }
        self.write(async |mut tx| {
            let claim = |skip_locked: &str| {
                format!(
                    "UPDATE notices AS n SET state = 'sending', attempts = attempts + 1, leased_until = $2
                     WHERE notice_id = (SELECT notice_id FROM notices WHERE state = 'queued' AND not_before <= $1
                                          AND domain NOT IN (SELECT value FROM json_each($3))
                                        ORDER BY not_before LIMIT 1 {skip_locked})
                     RETURNING {}, domain, resend_of IS NOT NULL AS is_resend",
                    COLUMNS.replace("n.", "")
                )
            };
            let row = per_engine(claim(""), claim("FOR UPDATE SKIP LOCKED"))
                .bind(millis(now))
                .bind(millis(leased_until))
                .bind(&except)
                .fetch_optional(&mut tx)
                .await?;
            let Some(row) = row else { return Ok(None) };
            let (domain, is_resend) = (row.try_get("domain")?, row.try_get("is_resend")?);
            let mut notice = read(&row)?.notice;
            let earlier: Vec<(String, i64, bool)> = query_as(
                "SELECT coalesce(outcome, 'interrupted'), count, EXISTS (SELECT 1 FROM unsubscribe_tokens u
                    WHERE u.notice_id = attempts.notice_id AND u.attempt = attempts.attempt)
                 FROM attempts WHERE notice_id = $1
                   AND attempt > (SELECT attempts_before_retry FROM notices n WHERE n.notice_id = $1)
                 ORDER BY attempt DESC",
            )
            .bind(notice.id.as_str())
            .fetch_all(&mut tx)
            .await?;
            let is = |outcome: &str, expected: AttemptOutcome| outcome == expected.as_str();
            let failures = earlier.iter().filter(|(outcome, ..)| is(outcome, AttemptOutcome::Retry)).count();
            let deferred = earlier.iter().take_while(|(outcome, ..)| is(outcome, AttemptOutcome::Deferred));
            let deferrals = count(deferred.map(|(_, attempts, _)| attempts).sum());
            let unknown_outcomes = earlier
                .iter()
                .filter(|(outcome, _, handed_over)| {
                    is(outcome, AttemptOutcome::Unknown)
                        || (is(outcome, AttemptOutcome::Interrupted) && *handed_over)
                })
                .count();
            query("INSERT INTO attempts (notice_id, attempt, started_at) VALUES ($1, $2, $3)")
                .bind(notice.id.as_str())
                .bind(notice.attempts)
                .bind(millis(now))
                .execute(&mut tx)
                .await?;
            let items = query(
                "SELECT lapse_id, connection_id, step FROM notice_items WHERE notice_id = $1
                       AND (counts_as_step = TRUE OR EXISTS (SELECT 1 FROM notices n
                            WHERE n.notice_id = $1 AND (n.resend_of IS NOT NULL OR n.kind = 'recovered')))
                     ORDER BY connection_id",
            )
            .bind(notice.id.as_str())
            .fetch_all(&mut tx)
            .await?;
            notice.items = items.iter().map(item).collect::<Result<_>>()?;
            Ok(Some(Claim {
                attempt: notice.attempts,
                failures: failures as u32,
                deferrals,
                unknown_outcomes: unknown_outcomes as u32,
                domain,
                is_resend,
                notice,
            }))
        })
        .await
    }

    /// The items of a claimed notice whose lapse is still open and whose connection is still broken.
    pub async fn items_still_open(
        &self,
        notice: &NoticeId,
    ) -> Result<Vec<(NoticeItem, super::StoredConnection)>> {
        let sql = format!(
            "SELECT i.lapse_id, i.connection_id, i.step, {} FROM notice_items i
             JOIN lapses l ON l.lapse_id = i.lapse_id
             JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
             WHERE i.notice_id = $1 AND l.state = 'open'
               AND (i.counts_as_step = TRUE OR (SELECT resend_of FROM notices n WHERE n.notice_id = $1) IS NOT NULL)
             ORDER BY i.connection_id",
            super::connections::COLUMNS
        );
        let rows = query(sql).bind(notice.as_str()).fetch_all(&self.reader).await?;
        let mut open = Vec::new();
        for row in &rows {
            let connection = super::connections::read(row)?;
            if connection.connection.status.as_ref().is_some_and(Status::is_broken) {
                open.push((item(row)?, connection));
            }
        }
        Ok(open)
    }

    /// Stores the result of an attempt. Returns `false` and changes nothing when the lease expired and the notice is no
    /// longer this attempt's.
    pub async fn end_attempt(&self, claim: &Claim, result: &AttemptResult, now: Time) -> Result<bool> {
        let state = match result.outcome {
            AttemptOutcome::Sent => NoticeState::Sent,
            AttemptOutcome::Abandoned => NoticeState::Abandoned,
            AttemptOutcome::Cancelled => NoticeState::Cancelled,
            _ => NoticeState::Queued,
        };
        self.write(async |mut tx| {
            let updated = query(
                "UPDATE notices SET state = $3, reason = $4, leased_until = NULL,
                    not_before = coalesce($5, not_before),
                    sent_at = CASE WHEN $3 = 'sent' THEN $6 ELSE sent_at END
                 WHERE notice_id = $1 AND state = 'sending' AND attempts = $2",
            )
            .bind(claim.notice.id.as_str())
            .bind(claim.attempt)
            .bind(state.as_str())
            .bind(result.reason.as_str())
            .bind(result.retry_at.map(millis))
            .bind(millis(now))
            .execute(&mut tx)
            .await?
            .rows_affected();
            if updated == 0 {
                return Ok(false);
            }
            let is_deferred = result.outcome == AttemptOutcome::Deferred;
            if !is_deferred || !merge_deferral(&mut tx, claim, result, now).await? {
                query(
                    "UPDATE attempts SET finished_at = $3, outcome = $4, detail = $5, reason = $6
                     WHERE notice_id = $1 AND attempt = $2",
                )
                .bind(claim.notice.id.as_str())
                .bind(claim.attempt)
                .bind(millis(now))
                .bind(result.outcome.as_str())
                .bind(&result.detail)
                .bind(result.reason.as_str())
                .execute(&mut tx)
                .await?;
            }
            if matches!(result.outcome, AttemptOutcome::Sent | AttemptOutcome::Cancelled) {
                let included: Vec<&str> = result.included.iter().map(|item| item.lapse_id.as_str()).collect();
                let included = super::json_list(&included)?;
                query(
                    "UPDATE notice_items SET counts_as_step = FALSE WHERE notice_id = $1
                     AND lapse_id NOT IN (SELECT value FROM json_each($2))",
                )
                .bind(claim.notice.id.as_str())
                .bind(&included)
                .execute(&mut tx)
                .await?;
                if result.outcome == AttemptOutcome::Sent {
                    query(
                        "UPDATE notice_items SET in_email = lapse_id IN (SELECT value FROM json_each($2))
                         WHERE notice_id = $1",
                    )
                    .bind(claim.notice.id.as_str())
                    .bind(&included)
                    .execute(&mut tx)
                    .await?;
                }
            }
            if state != NoticeState::Queued {
                query(
                    "UPDATE lapses SET plan_at = $2 WHERE state = 'open'
                     AND lapse_id IN (SELECT lapse_id FROM notice_items WHERE notice_id = $1)",
                )
                .bind(claim.notice.id.as_str())
                .bind(millis(now))
                .execute(&mut tx)
                .await?;
            }
            if !result.outcome.may_have_arrived() {
                for sql in [
                    "DELETE FROM links WHERE notice_id = $1 AND attempt = $2",
                    "DELETE FROM unsubscribe_tokens WHERE notice_id = $1 AND attempt = $2",
                ] {
                    query(sql).bind(claim.notice.id.as_str()).bind(claim.attempt).execute(&mut tx).await?;
                }
            }
            Ok(true)
        })
        .await
    }
}
