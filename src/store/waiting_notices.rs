//! The unsent notices that the planner can still change: no delivery has begun with them.

use super::engine::{Query, Row, Tx, query};
use super::notices::item;
use super::row::RowExt;
use super::{Result, json_list, millis};
use crate::domain::{NoticeId, Time, WaitingNotice};
use serde::Serialize;

/// SQL condition: the planner can still change the notice `n`.
pub(super) const IS_WAITING: &str =
    "(n.state IN ('queued', 'held') AND n.attempts = 0 AND n.kind = 'reconnect'
    AND n.resend_of IS NULL)";

/// Selects the waiting notices about open lapses of the members, a JSON list, in the order of their ids.
pub(super) fn select(members: &str) -> Query {
    query(format!(
        "SELECT n.notice_id, n.member_id AS first_member, n.state, n.reason, n.not_before, n.is_tentative, i.extra,
            l.member_id, i.lapse_id, i.connection_id, i.step
         FROM notices n JOIN notice_items i ON i.notice_id = n.notice_id AND i.counts_as_step = TRUE
         JOIN lapses l ON l.lapse_id = i.lapse_id
         WHERE {IS_WAITING} AND n.notice_id IN
            (SELECT o.notice_id FROM lapses ol JOIN notice_items o ON o.lapse_id = ol.lapse_id AND o.counts_as_step = TRUE
             WHERE ol.member_id IN (SELECT value FROM json_each($1)) AND ol.state = 'open')
         ORDER BY n.notice_id, l.member_id, i.lapse_id"
    ))
    .bind(members)
}

/// Reads the rows of [`select`].
pub(super) fn read(rows: &[Row]) -> Result<Vec<WaitingNotice>> {
    let mut waiting: Vec<WaitingNotice> = Vec::new();
    for row in rows {
        let id: NoticeId = row.text("notice_id")?;
        if waiting.last().is_none_or(|last| last.id != id) {
            waiting.push(WaitingNotice {
                member_id: row.text("first_member")?,
                state: row.parsed("state")?,
                reason: row.parsed("reason")?,
                not_before: row.time("not_before")?,
                is_tentative: row.try_get("is_tentative")?,
                items: Vec::new(),
                extra: Vec::new(),
                id,
            });
        }
        if let Some(notice) = waiting.last_mut() {
            let item = item(row)?;
            if row.try_get("extra")? {
                notice.extra.push(item.lapse_id.clone());
            }
            notice.items.push(item);
        }
    }
    Ok(waiting)
}

/// Lets the planner decide again about the open lapses of notices.
pub(super) async fn plan_again<T: Serialize>(tx: &mut Tx, notices: &[T], now: Time) -> Result<()> {
    query(
        "UPDATE lapses SET plan_at = $2 WHERE state = 'open' AND lapse_id IN
            (SELECT lapse_id FROM notice_items WHERE counts_as_step = TRUE
               AND notice_id IN (SELECT value FROM json_each($1)))",
    )
    .bind(json_list(notices)?)
    .bind(millis(now))
    .execute(tx)
    .await?;
    Ok(())
}
