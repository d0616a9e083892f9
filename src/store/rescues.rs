//! Notices whose delivery was interrupted.

use super::engine::{Value, query, query_as, query_scalar};
use super::holder::IS_ORPHANED;
use super::json_rows::write_rows;
use super::{Result, Store, json_list, millis};
use crate::domain::{NoticeId, NoticeReason, Time};
use serde::Serialize;

#[derive(Serialize)]
struct InterruptedAttempt {
    notice: String,
    attempt: i64,
}

impl Store {
    /// Queues the notices again whose lease expired, except those in `held`. Returns their number.
    pub async fn rescue_expired_leases(&self, now: Time, held: &[NoticeId]) -> Result<u64> {
        self.rescue(now, "leased_until <= $2", Some(millis(now).into()), held).await
    }

    /// Queues the notices again that this process is sending. Only for a process that delivers nothing now. For a database
    /// file, those of all processes. Returns the number of notices.
    pub async fn release_leases(&self, now: Time) -> Result<u64> {
        match self.holder.id() {
            Some(id) if self.is_shared() => {
                self.rescue(now, "holder = $2", Some(id.as_str().into()), &[]).await
            }
            _ => self.rescue(now, "TRUE", None, &[]).await,
        }
    }

    /// Queues the notices again that this instance claimed, except those in `held`. Returns their number.
    pub(crate) async fn rescue_own(&self, now: Time, held: &[NoticeId]) -> Result<u64> {
        match self.holder.id() {
            Some(id) => self.rescue(now, "holder = $2", Some(id.as_str().into()), held).await,
            None => Ok(0),
        }
    }

    /// Queues the notices again that a dead instance was sending.
    pub(super) async fn rescue_orphaned(&self, now: Time) -> Result<u64> {
        self.rescue(now, IS_ORPHANED, None, &[]).await
    }

    /// `which`: SQL, in which `$2` is the value.
    async fn rescue(&self, now: Time, which: &str, value: Option<Value>, held: &[NoticeId]) -> Result<u64> {
        let reason = NoticeReason::Interrupted.as_str();
        let interrupted =
            format!("state = 'sending' AND {which} AND notice_id NOT IN (SELECT value FROM json_each($1))");
        let held = json_list(&held.iter().map(NoticeId::as_str).collect::<Vec<_>>())?;
        // Usually there are none. A read is enough to know that.
        let any: bool = query_scalar(format!("SELECT EXISTS (SELECT 1 FROM notices WHERE {interrupted})"))
            .bind(&held)
            .bind_if_some(value.clone())
            .fetch_one(&self.reader)
            .await?;
        if !any {
            return Ok(0);
        }
        self.write(async |mut tx| {
            let rescued: Vec<(String, i64)> = query_as(format!(
                "UPDATE notices SET state = 'queued', reason = '{reason}', leased_until = NULL, holder = NULL
                 WHERE {interrupted} RETURNING notice_id, attempts"
            ))
            .bind(&held)
            .bind_if_some(value.clone())
            .fetch_all(&mut tx)
            .await?;
            let attempts: Vec<_> =
                rescued.into_iter().map(|(notice, attempt)| InterruptedAttempt { notice, attempt }).collect();
            write_rows(&mut tx, &attempts, |rows| {
                query(
                    "UPDATE attempts SET finished_at = $2, outcome = 'interrupted' FROM json_each($1) j
                     WHERE notice_id = j.value ->> 'notice'
                       AND attempt = CAST(j.value ->> 'attempt' AS BIGINT) AND finished_at IS NULL",
                )
                .bind(rows)
                .bind(millis(now))
            })
            .await?;
            Ok(attempts.len() as u64)
        })
        .await
    }
}
