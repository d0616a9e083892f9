//! Times from the future: a clock was ahead when they were recorded. Decisions must not wait until it is that late.

use super::{Result, Store, millis};
use crate::domain::{MemberId, Time};
use chrono::TimeDelta;
use sqlx::{Sqlite, Transaction};

/// No delivery, lease, or recheck is put off for longer than this by a clock that is right.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(1);

/// Makes every time in the future that a decision about the member reads `now`. It is written back: read as `now` each
/// time, an email from next year would keep `min_gap` from ever ending.
pub(super) async fn clamp(tx: &mut Transaction<'_, Sqlite>, member: &MemberId, now: Time) -> Result<()> {
    for sql in [
        "UPDATE lapses SET suspected_at = min(suspected_at, $2), opened_at = min(opened_at, $2),
            closed_at = min(closed_at, $2)
         WHERE member_id = $1 AND (suspected_at > $2 OR opened_at > $2 OR closed_at > $2)",
        "UPDATE connections SET missing_since = $2 WHERE member_id = $1 AND missing_since > $2",
        "UPDATE notices SET sent_at = min(sent_at, $2), planned_at = min(planned_at, $2)
         WHERE member_id = $1 AND (sent_at > $2 OR planned_at > $2)",
    ] {
        sqlx::query(sql).bind(member.as_str()).bind(millis(now)).execute(&mut **tx).await?;
    }
    Ok(())
}

impl Store {
    /// Makes due again what waits for a time that a clock which was ahead has set.
    pub async fn clock_went_back(&self, now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE lapses SET plan_at = $1 WHERE plan_at > $1")
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        for sql in [
            "UPDATE notices SET not_before = $1 WHERE state = 'queued' AND not_before > $2",
            "UPDATE notices SET leased_until = $2 WHERE state = 'sending' AND leased_until > $2",
            "UPDATE rechecks SET due_at = $1, since = min(since, $1) WHERE due_at > $2",
        ] {
            sqlx::query(sql).bind(millis(now)).bind(millis(now + LONGEST_WAIT)).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
