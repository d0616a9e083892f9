//! The delivery queue: what a claimed notice is still about, and the results of attempts.

use super::attempt_results::{AttemptOutcome, AttemptResult};
use super::claims::Claim;
use super::decisions;
use super::engine::{Tx, query, query_scalar, run_together};
use super::notices::item;
use super::row_locks::lock_members_at;
use super::suppressions::suppress_by_evidence;
use super::{Result, Store, json_list, millis, notice_events};
use crate::domain::{AddressHash, MemberId, NoticeId, NoticeItem, NoticeState, Status, Suppression, Time};

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

/// Whether this result was stored before, by a commit that brought no answer.
async fn is_recorded(tx: &mut Tx, claim: &Claim, result: &AttemptResult, now: Time) -> Result<bool> {
    let recorded = query(
        "SELECT 1 FROM attempts WHERE notice_id = $1 AND attempt = $2 AND outcome = $3 AND finished_at = $4",
    )
    .bind(claim.notice.id.as_str())
    .bind(claim.attempt)
    .bind(result.outcome.as_str())
    .bind(millis(now))
    .fetch_optional(tx)
    .await?;
    Ok(recorded.is_some())
}

/// Locks the members at the address that the attempt's email was for.
async fn lock_address(tx: &mut Tx, claim: &Claim) -> Result<Option<AddressHash>> {
    let address: Option<Vec<u8>> = query_scalar(
        "SELECT address_hash FROM notices WHERE notice_id = $1 AND attempts = $2 AND address_hash IS NOT NULL",
    )
    .bind(claim.notice.id.as_str())
    .bind(claim.attempt)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(address) = address.and_then(|bytes| bytes.try_into().ok()).map(AddressHash) else {
        return Ok(None);
    };
    lock_members_at(tx, address).await?;
    Ok(Some(address))
}

impl Store {
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

    /// Stores the result of an attempt, or finds that it is stored. Returns `false` and changes nothing when the lease
    /// expired and the notice is no longer this attempt's.
    pub async fn end_attempt(&self, claim: &Claim, result: &AttemptResult, now: Time) -> Result<bool> {
        Ok(self.end(claim, result, false, now).await?.is_some())
    }

    /// Like [`Store::end_attempt`], for an attempt whose address the mail server rejected permanently: also suppresses the
    /// address. Returns the members whose address was not suppressed for that before, or `None` for `false`.
    pub(crate) async fn end_rejected_attempt(
        &self,
        claim: &Claim,
        result: &AttemptResult,
        now: Time,
    ) -> Result<Option<Vec<MemberId>>> {
        self.end(claim, result, true, now).await
    }

    async fn end(
        &self,
        claim: &Claim,
        result: &AttemptResult,
        is_address_rejected: bool,
        now: Time,
    ) -> Result<Option<Vec<MemberId>>> {
        let state = match result.outcome {
            AttemptOutcome::Sent => NoticeState::Sent,
            AttemptOutcome::Abandoned => NoticeState::Abandoned,
            AttemptOutcome::Cancelled => NoticeState::Cancelled,
            _ => NoticeState::Queued,
        };
        self.write(async |mut tx| {
            let rejected = if is_address_rejected { lock_address(&mut tx, claim).await? } else { None };
            let updated = query(
                "UPDATE notices SET state = $3, reason = $4, leased_until = NULL, holder = NULL,
                    not_before = coalesce($5, not_before), member_id = coalesce($7, member_id),
                    sent_at = CASE WHEN $3 = 'sent' THEN $6 ELSE sent_at END
                 WHERE notice_id = $1 AND state = 'sending' AND attempts = $2",
            )
            .bind(claim.notice.id.as_str())
            .bind(claim.attempt)
            .bind(state.as_str())
            .bind(result.reason.as_str())
            .bind(result.retry_at.map(millis))
            .bind(millis(now))
            .bind(result.included.iter().map(|item| item.member_id.as_str()).min().map(str::to_owned))
            .execute(&mut tx)
            .await?
            .rows_affected();
            if updated == 0 {
                return Ok(is_recorded(&mut tx, claim, result, now).await?.then(Vec::new));
            }
            let is_deferred = result.outcome == AttemptOutcome::Deferred;
            let mut writes = Vec::new();
            if !is_deferred || !merge_deferral(&mut tx, claim, result, now).await? {
                let end = query(
                    "UPDATE attempts SET finished_at = $3, outcome = $4, detail = $5, reason = $6
                     WHERE notice_id = $1 AND attempt = $2",
                );
                let end = end.bind(claim.notice.id.as_str()).bind(claim.attempt).bind(millis(now));
                let end = end.bind(result.outcome.as_str()).bind(&result.detail);
                writes.push(end.bind(result.reason.as_str()));
            }
            if result.outcome == AttemptOutcome::Sent {
                decisions::record_left_out(&mut tx, &claim.notice, result, now).await?;
            }
            if matches!(result.outcome, AttemptOutcome::Sent | AttemptOutcome::Cancelled) {
                let included: Vec<_> = result.included.iter().map(|item| &item.lapse_id).collect();
                // Only an email that was sent has contents.
                let items = query(
                    "UPDATE notice_items SET
                        counts_as_step = counts_as_step AND lapse_id IN (SELECT value FROM json_each($2)),
                        in_email = CASE WHEN $3 THEN lapse_id IN (SELECT value FROM json_each($2)) ELSE in_email END
                     WHERE notice_id = $1",
                );
                let items = items.bind(claim.notice.id.as_str()).bind(json_list(&included)?);
                writes.push(items.bind(result.outcome == AttemptOutcome::Sent));
            }
            if state != NoticeState::Queued {
                let plan = query(
                    "UPDATE lapses SET plan_at = $2 WHERE state = 'open'
                     AND lapse_id IN (SELECT lapse_id FROM notice_items WHERE notice_id = $1)",
                );
                writes.push(plan.bind(claim.notice.id.as_str()).bind(millis(now)));
            }
            if !result.outcome.may_have_arrived() {
                for sql in [
                    "DELETE FROM links WHERE notice_id = $1 AND attempt = $2",
                    "DELETE FROM unsubscribe_tokens WHERE notice_id = $1 AND attempt = $2",
                ] {
                    writes.push(query(sql).bind(claim.notice.id.as_str()).bind(claim.attempt));
                }
            }
            run_together(writes, &mut tx).await?;
            notice_events::record(&mut tx, claim, result, now).await?;
            let Some(address) = rejected else { return Ok(Some(Vec::new())) };
            suppress_by_evidence(&mut tx, address, Suppression::HardBounce, now).await.map(Some)
        })
        .await
    }
}
