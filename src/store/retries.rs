//! Retries of deferred and abandoned notices.

use super::audit;
use super::engine::{Tx, query, query_scalar};
use super::suppressions::unsuppress;
use super::{Result, Store, json_list, millis};
use crate::domain::{AddressHash, AuditAction, AuditEntry, NoticeId, NoticeReason, Suppression, Time};

impl Store {
    /// Queues a deferred or abandoned notice for delivery now and resets its attempt count. Returns `false` when it is
    /// neither. If the mail server rejected its address, the address is tried again.
    pub async fn retry_notice(&self, notice: &NoticeId, now: Time) -> Result<bool> {
        Ok(!self.retry_where(Some(notice), now).await?.is_empty())
    }

    /// Retries all notices with a failed attempt, as [`Store::retry_notice`] does.
    pub async fn retry_all_notices(&self, now: Time) -> Result<Vec<NoticeId>> {
        self.retry_where(None, now).await
    }

    /// Whether a notice that waits for delivery was retried by an operator after `time`.
    pub(crate) async fn is_retry_requested_after(&self, time: Time) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM notices WHERE state = 'queued' AND not_before > $1 AND reason = $2)";
        query_scalar(sql)
            .bind(millis(time))
            .bind(NoticeReason::RetryRequested.as_str())
            .fetch_one(&self.reader)
            .await
    }

    /// Frees the steps of notices that were abandoned for a cause that the configuration may have fixed since, so that
    /// the planner plans them again. Notices abandoned because of their address stay abandoned. Returns the number of
    /// lapses.
    pub(crate) async fn replan_misconfigured(&self, now: Time) -> Result<u64> {
        self.write(async |mut tx| {
            let lapses: Vec<String> = query_scalar(
                "UPDATE notice_items SET counts_as_step = FALSE WHERE counts_as_step = TRUE AND notice_id IN
                    (SELECT notice_id FROM notices WHERE state = 'abandoned'
                     AND reason IN ('oauth_url_refused', 'render_failed'))
                   AND EXISTS (SELECT 1 FROM lapses l WHERE l.lapse_id = notice_items.lapse_id AND l.state = 'open')
                 RETURNING lapse_id",
            )
            .fetch_all(&mut tx)
            .await?;
            for lapse in &lapses {
                query("UPDATE lapses SET plan_at = $2 WHERE lapse_id = $1")
                    .bind(lapse)
                    .bind(millis(now))
                    .execute(&mut tx)
                    .await?;
            }
            Ok(lapses.len() as u64)
        })
        .await
    }

    async fn retry_where(&self, notice: Option<&NoticeId>, now: Time) -> Result<Vec<NoticeId>> {
        let this = notice.map_or("", |_| "AND notice_id = $3");
        let update = query_scalar::<String>(format!(
            "UPDATE notices SET state = 'queued', reason = $2, not_before = $1, attempts_before_retry = attempts
             WHERE attempts > 0 AND state IN ('queued', 'abandoned') {this} RETURNING notice_id"
        ))
        .bind(millis(now))
        .bind(NoticeReason::RetryRequested.as_str())
        .bind_if_some(notice.map(NoticeId::as_str));
        let ids = self
            .write(async |mut tx| {
                let only = notice.map(|notice| json_list(&[notice])).transpose()?;
                forgive_rejections(&mut tx, only.as_deref(), now).await?;
                let ids = update.clone().fetch_all(&mut tx).await?;
                if !ids.is_empty() {
                    let entry = AuditEntry::new(AuditAction::NoticeRetry).affected(ids.len() as u64);
                    audit::record(&mut tx, entry.target(notice.map(NoticeId::as_str)), now).await?;
                }
                Ok(ids)
            })
            .await?;
        Ok(ids.into_iter().map(NoticeId::new).collect())
    }
}

/// Ends the suppressions of the addresses that the mail server rejected, of the notices in a JSON list or of all.
pub(super) async fn forgive_rejections(tx: &mut Tx, only: Option<&str>, now: Time) -> Result<()> {
    let these = only.map_or("", |_| "AND n.notice_id IN (SELECT value FROM json_each($2))");
    let addresses: Vec<Vec<u8>> = query_scalar(format!(
        "SELECT DISTINCT n.address_hash FROM notices n
         JOIN suppressions s ON s.address_hash = n.address_hash AND s.reason = 'hard_bounce'
         WHERE n.state = 'abandoned' AND n.reason = $1 {these} ORDER BY n.address_hash"
    ))
    .bind(NoticeReason::PermanentFailure.as_str())
    .bind_if_some(only)
    .fetch_all(&mut *tx)
    .await?;
    for address in addresses.into_iter().filter_map(|bytes| bytes.try_into().ok().map(AddressHash)) {
        unsuppress(tx, address, Some(Suppression::HardBounce), now).await?;
    }
    Ok(())
}
