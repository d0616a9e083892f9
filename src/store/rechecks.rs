//! `rechecks`: early polls of single members.

use super::engine::{Tx, query};
use super::row::RowExt;
use super::{Result, Store, millis};
use crate::domain::{MemberId, Time};

/// The purpose of a recheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The member pressed the button.
    Redemption,
    /// Confirms a suspected lapse.
    Suspicion,
}

impl Purpose {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Redemption => "redemption",
            Self::Suspicion => "suspicion",
        }
    }
}

/// An early poll that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRecheck {
    pub(crate) member_id: MemberId,
    pub(crate) purpose: Purpose,
    pub(crate) due_at: Time,
    /// The redemption that the delays count from.
    pub(crate) since: Time,
}

/// Replaces the member's rechecks; their delays count from the redemption.
pub(super) async fn set(tx: &mut Tx, member: &MemberId, since: Time, due_at: Option<Time>) -> Result<()> {
    let Some(due) = due_at else { return Ok(()) };
    query(
        "INSERT INTO rechecks (member_id, purpose, due_at, since) VALUES ($1, 'redemption', $2, $3)
         ON CONFLICT (member_id, purpose) DO UPDATE SET due_at = excluded.due_at, since = excluded.since",
    )
    .bind(member.as_str())
    .bind(millis(due))
    .bind(millis(since))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

impl Store {
    /// The early poll that is due first at `now`, of a member not in `except`. Redemptions come before suspicions.
    pub async fn due_recheck(&self, now: Time, except: &[MemberId]) -> Result<Option<DueRecheck>> {
        let except: Vec<&str> = except.iter().map(MemberId::as_str).collect();
        let row = query(
            // One range of the index for each purpose. In one range for both, all rows that are not due would be read.
            "SELECT * FROM (SELECT member_id, purpose, due_at, since FROM rechecks
                WHERE purpose = 'redemption' AND due_at <= $1 AND member_id NOT IN (SELECT value FROM json_each($2))
                ORDER BY due_at LIMIT 1) r
             UNION ALL
             SELECT * FROM (SELECT member_id, purpose, due_at, since FROM rechecks
                WHERE purpose = 'suspicion' AND due_at <= $1 AND member_id NOT IN (SELECT value FROM json_each($2))
                ORDER BY due_at LIMIT 1) s
             ORDER BY purpose LIMIT 1",
        )
        .bind(millis(now))
        .bind(super::json_list(&except)?)
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            let purpose: String = row.try_get("purpose")?;
            Ok(DueRecheck {
                member_id: row.text("member_id")?,
                purpose: if purpose == "redemption" { Purpose::Redemption } else { Purpose::Suspicion },
                due_at: row.time("due_at")?,
                since: row.time("since")?,
            })
        })
        .transpose()
    }

    /// Defers all rechecks of a member until `until` or later.
    pub(crate) async fn postpone_rechecks(&self, member: &MemberId, until: Time) -> Result<()> {
        let update = query("UPDATE rechecks SET due_at = $2 WHERE member_id = $1 AND due_at < $2")
            .bind(member.as_str())
            .bind(millis(until));
        self.execute(update).await?;
        Ok(())
    }

    /// Defers a recheck until `next`, or deletes it. Returns `false` when another poll or a new redemption has changed it.
    pub async fn claim_recheck(&self, recheck: &DueRecheck, next: Option<Time>) -> Result<bool> {
        let query = match next {
            Some(next) => query(
                "UPDATE rechecks SET due_at = $5
                 WHERE member_id = $1 AND purpose = $2 AND due_at = $3 AND since = $4",
            )
            .bind(recheck.member_id.as_str())
            .bind(recheck.purpose.as_str())
            .bind(millis(recheck.due_at))
            .bind(millis(recheck.since))
            .bind(millis(next)),
            None => query(
                "DELETE FROM rechecks WHERE member_id = $1 AND purpose = $2 AND due_at = $3 AND since = $4",
            )
            .bind(recheck.member_id.as_str())
            .bind(recheck.purpose.as_str())
            .bind(millis(recheck.due_at))
            .bind(millis(recheck.since)),
        };
        Ok(self.execute(query).await? > 0)
    }
}
