//! Notices whose delivery was interrupted.

use super::engine::{query, query_as, query_scalar};
use super::{Result, Store, millis};
use crate::domain::{NoticeId, NoticeReason, Time};

impl Store {
    /// Queues the notices again whose lease expired, except those in `held`. Returns their number.
    pub async fn rescue_expired_leases(&self, now: Time, held: &[NoticeId]) -> Result<u64> {
        self.rescue(now, Some(now), held).await
    }

    /// Queues every notice again that is being sent. Only for a process that holds the instance lock and delivers nothing
    /// now. Returns the number of notices.
    pub async fn release_leases(&self, now: Time) -> Result<u64> {
        self.rescue(now, None, &[]).await
    }

    /// Queues the notices again that the last run was sending when it ended. On a server, only those whose lease has
    /// expired: their holder may have lost no more than its session.
    pub(crate) async fn rescue_interrupted(&self, now: Time) -> Result<u64> {
        match self.place.file() {
            Some(_) => self.release_leases(now).await,
            None => self.rescue_expired_leases(now, &[]).await,
        }
    }

    /// `expired_at`: `None` for all leases.
    async fn rescue(&self, now: Time, expired_at: Option<Time>, held: &[NoticeId]) -> Result<u64> {
        const EXPIRED: &str = "state = 'sending' AND ($1 IS NULL OR leased_until <= $1)
            AND notice_id NOT IN (SELECT value FROM json_each($2))";
        let held: Vec<&str> = held.iter().map(NoticeId::as_str).collect();
        let held = super::json_list(&held)?;
        // Usually there are none. A read is enough to know that.
        let any: bool = query_scalar(format!("SELECT EXISTS (SELECT 1 FROM notices WHERE {EXPIRED})"))
            .bind(expired_at.map(millis))
            .bind(&held)
            .fetch_one(&self.reader)
            .await?;
        if !any {
            return Ok(0);
        }
        self.write(async |mut tx| {
            let rescued: Vec<(String, i64)> = query_as(format!(
                "UPDATE notices SET state = 'queued', reason = $3, leased_until = NULL WHERE {EXPIRED}
                 RETURNING notice_id, attempts"
            ))
            .bind(expired_at.map(millis))
            .bind(&held)
            .bind(NoticeReason::Interrupted.as_str())
            .fetch_all(&mut tx)
            .await?;
            for (notice, attempt) in &rescued {
                query(
                    "UPDATE attempts SET finished_at = $3, outcome = 'interrupted'
                     WHERE notice_id = $1 AND attempt = $2 AND finished_at IS NULL",
                )
                .bind(notice)
                .bind(*attempt)
                .bind(millis(now))
                .execute(&mut tx)
                .await?;
            }
            Ok(rescued.len() as u64)
        })
        .await
    }
}
