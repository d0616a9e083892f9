//! Lapses that ended in recovery, as far as their members are still to be told of it.
//!
//! The closed lapse itself waits for the planner, by its `plan_at`. A notice of recovery takes no step of a lapse: its
//! items are not live, so that what was said of the lapse, and when to remind, stand as they are should it go on.

use super::{Result, Store, StoredConnection, connections, notices, time};
use crate::domain::{LapseId, MemberId, NoticeId, NoticeItem, Status, Time};
use sqlx::{Row, Sqlite, Transaction};

/// A lapse that has just ended in recovery, as the planner needs it.
#[derive(Clone, Debug)]
pub(crate) struct RecoveredLapse {
    /// The lapse.
    pub(crate) lapse_id: LapseId,
    /// Its connection, as it was last listed.
    pub(crate) connection: StoredConnection,
    /// When a notice about the lapse was last sent.
    pub(crate) noticed_at: Option<Time>,
    /// When its recovery was last told of. A notice that is queued or being sent counts from its planning.
    pub(crate) told_at: Option<Time>,
}

pub(super) async fn unplanned(
    tx: &mut Transaction<'_, Sqlite>,
    member: &MemberId,
) -> Result<Vec<RecoveredLapse>> {
    let sql = format!(
        "SELECT l.lapse_id, {},
            (SELECT max(n.sent_at) FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
             WHERE i.lapse_id = l.lapse_id AND n.kind = 'reconnect' AND n.state = 'sent'
               AND (i.live = 1 OR n.resend_of IS NOT NULL)) AS noticed_at,
            (SELECT max(coalesce(n.sent_at, n.planned_at)) FROM notice_items i
             JOIN notices n ON n.notice_id = i.notice_id
             WHERE i.lapse_id = l.lapse_id AND n.kind = 'recovered'
               AND n.state IN ('queued', 'sending', 'held', 'sent')) AS told_at
         FROM lapses l JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
         WHERE l.member_id = $1 AND l.state = 'closed' AND l.outcome = 'recovered' AND l.plan_at IS NOT NULL
         ORDER BY l.lapse_id",
        connections::COLUMNS
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(member.as_str()).fetch_all(&mut **tx).await?;
    rows.iter()
        .map(|row| {
            Ok(RecoveredLapse {
                lapse_id: LapseId::new(row.try_get::<String, _>("lapse_id")?),
                connection: connections::read(row)?,
                noticed_at: row.try_get::<Option<i64>, _>("noticed_at")?.map(time),
                told_at: row.try_get::<Option<i64>, _>("told_at")?.map(time),
            })
        })
        .collect()
}

/// The planner has seen to all of them.
pub(super) async fn planned(tx: &mut Transaction<'_, Sqlite>, member: &MemberId) -> Result<()> {
    sqlx::query(
        "UPDATE lapses SET plan_at = NULL WHERE member_id = $1 AND state = 'closed' AND plan_at IS NOT NULL",
    )
    .bind(member.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Store {
    /// What of a claimed notice of recovery is still true: its items whose lapse is over and whose connection works.
    pub(crate) async fn still_recovered(
        &self,
        notice: &NoticeId,
    ) -> Result<Vec<(NoticeItem, StoredConnection)>> {
        let sql = format!(
            "SELECT i.lapse_id, i.connection_id, i.step, {} FROM notice_items i
             JOIN lapses l ON l.lapse_id = i.lapse_id
             JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
             WHERE i.notice_id = $1 AND l.state = 'closed' AND l.outcome = 'recovered' ORDER BY i.connection_id",
            connections::COLUMNS
        );
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(notice.as_str()).fetch_all(&self.reader).await?;
        let mut true_still = Vec::new();
        for row in &rows {
            let stored = connections::read(row)?;
            let works = stored.connection.status == Some(Status::Connected);
            if works && !stored.is_missing && !stored.connection.is_person_mismatch() {
                true_still.push((notices::item(row)?, stored));
            }
        }
        Ok(true_still)
    }
}
