//! `notices`: trying again what was put off or given up.

use super::{Result, Store, millis};
use crate::domain::{NoticeId, Time};

impl Store {
    /// Queues a notice that was given up, or was put off, to be delivered now, as if for the first time. Gives `false`
    /// when it is neither.
    pub async fn retry(&self, notice: &NoticeId, now: Time) -> Result<bool> {
        Ok(!self.retry_where(Some(notice), now).await?.is_empty())
    }

    /// Likewise all notices of which an attempt has failed. Gives which.
    pub async fn retry_all(&self, now: Time) -> Result<Vec<NoticeId>> {
        self.retry_where(None, now).await
    }

    /// Lets the planner plan anew what was given up for a reason that may have been ours, as when the configuration may
    /// have changed. Notices that an address has caused to be given up stay so. Gives how many were.
    pub(crate) async fn forgive_own_faults(&self, now: Time) -> Result<u64> {
        let mut tx = self.begin().await?;
        let lapses: Vec<String> = sqlx::query_scalar(
            "UPDATE notice_items SET live = 0 WHERE live = 1 AND notice_id IN
                (SELECT notice_id FROM notices WHERE state = 'abandoned'
                 AND reason IN ('no_way_to_reconnect', 'cannot_be_written'))
               AND lapse_id IN (SELECT lapse_id FROM lapses WHERE state = 'open')
             RETURNING lapse_id",
        )
        .fetch_all(&mut *tx)
        .await?;
        for lapse in &lapses {
            sqlx::query("UPDATE lapses SET plan_at = $2 WHERE lapse_id = $1")
                .bind(lapse)
                .bind(millis(now))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(lapses.len() as u64)
    }

    async fn retry_where(&self, notice: Option<&NoticeId>, now: Time) -> Result<Vec<NoticeId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "UPDATE notices SET state = 'queued', reason = 'retried', not_before = $2, fresh_after = attempts
             WHERE attempts > 0 AND state IN ('queued', 'abandoned') AND ($1 IS NULL OR notice_id = $1)
             RETURNING notice_id",
        )
        .bind(notice.map(NoticeId::as_str))
        .bind(millis(now))
        .fetch_all(&self.writer)
        .await?;
        Ok(ids.into_iter().map(NoticeId::new).collect())
    }
}
