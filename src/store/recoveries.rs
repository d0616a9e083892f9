//! Lapses that ended in recovery, until the planner has decided whether to announce it.
//!
//! A closed lapse waits for the planner by its `plan_at`. A notice of recovery takes no step of a lapse, so the cadence
//! continues unchanged if the lapse resumes.

use super::engine::{Query, Row, query};
use super::{Result, Store, StoredConnection, connections, notices, time};
use crate::domain::{LapseId, MemberId, NoticeId, NoticeItem, RecoveredInput, Status};

/// `members`: a JSON array.
pub(super) fn select_pending(members: &str) -> Query {
    let sql = format!(
        "SELECT l.lapse_id, {},
            (SELECT max(n.sent_at) FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
             WHERE i.lapse_id = l.lapse_id AND n.kind = 'reconnect' AND n.state = 'sent'
               AND (i.counts_as_step = TRUE OR (n.resend_of IS NOT NULL AND i.in_email IS NOT FALSE))) AS notified_at,
            (SELECT max(coalesce(n.sent_at, n.planned_at)) FROM notice_items i
             JOIN notices n ON n.notice_id = i.notice_id
             WHERE i.lapse_id = l.lapse_id AND n.kind = 'recovered'
               AND n.state IN ('queued', 'sending', 'held', 'sent')) AS recovery_notified_at
         FROM lapses l JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
         WHERE l.member_id IN (SELECT value FROM json_each($1)) AND l.state = 'closed'
           AND l.outcome = 'recovered' AND l.plan_at IS NOT NULL ORDER BY l.lapse_id",
        connections::COLUMNS
    );
    query(sql).bind(members)
}

/// Reads a row of [`select_pending`].
pub(super) fn pending_recovery(row: &Row) -> Result<(MemberId, RecoveredInput)> {
    let StoredConnection { member_id, connection, is_missing, .. } = connections::read(row)?;
    let input = RecoveredInput {
        lapse_id: LapseId::new(row.try_get::<String>("lapse_id")?),
        is_person_mismatch: connection.is_person_mismatch(),
        connection_id: connection.id,
        status: connection.status.filter(|_| !is_missing),
        notified_at: row.try_get::<Option<i64>>("notified_at")?.map(time),
        recovery_notified_at: row.try_get::<Option<i64>>("recovery_notified_at")?.map(time),
    };
    Ok((member_id, input))
}

impl Store {
    /// The items of a claimed notice of recovery whose lapse is closed and whose connection still works.
    pub(crate) async fn items_still_recovered(
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
        let rows = query(sql).bind(notice.as_str()).fetch_all(&self.reader).await?;
        let mut still_recovered = Vec::new();
        for row in &rows {
            let stored = connections::read(row)?;
            let works = stored.connection.status == Some(Status::Connected);
            if works && !stored.is_missing && !stored.connection.is_person_mismatch() {
                still_recovered.push((notices::item(row)?, stored));
            }
        }
        Ok(still_recovered)
    }
}
