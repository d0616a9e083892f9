//! Cancels unsent notices when their lapses end.

use super::convert::json_list;
use super::decisions;
use super::engine::{Tx, Value, query, query_as, query_scalar};
use super::error::Result;
use super::row_locks::lock_notices_about;
use super::unreachable;
use crate::domain::{LapseId, NoticeReason, Outcome, Time};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub(super) struct ClosedLapse {
    pub(super) id: LapseId,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Serialize)]
struct Emptied<'a> {
    notice: &'a str,
    reason: &'static str,
}

/// Removes lapses from their unsent notices and cancels those that become empty.
pub(super) async fn cancel_for_lapses(tx: &mut Tx, lapses: &[ClosedLapse], now: Time) -> Result<()> {
    if lapses.is_empty() {
        return Ok(());
    }
    let outcomes: BTreeMap<&str, Option<Outcome>> =
        lapses.iter().map(|lapse| (lapse.id.as_str(), lapse.outcome)).collect();
    let ids = outcomes.keys().collect::<Vec<_>>();
    unreachable::lapses_closed(tx, &json_list(&ids)?, now).await?;
    lock_notices_about(tx, &ids).await?;
    let freed: Vec<(String, String)> = query_as(
        "UPDATE notice_items SET counts_as_step = FALSE
         WHERE counts_as_step = TRUE AND lapse_id IN (SELECT value FROM json_each($1)) AND EXISTS
            (SELECT 1 FROM notices n WHERE n.notice_id = notice_items.notice_id AND n.state IN ('queued', 'held'))
         RETURNING notice_id, lapse_id",
    )
    .bind(json_list(&ids)?)
    .fetch_all(&mut *tx)
    .await?;
    if freed.is_empty() {
        return Ok(());
    }
    let reason_of = |lapse: &str| NoticeReason::for_closed_lapse(outcomes.get(lapse).copied().flatten());
    decisions::record_items(tx, &freed, reason_of, now).await?;
    let emptied: BTreeMap<&str, &str> =
        freed.iter().map(|(notice, lapse)| (notice.as_str(), lapse.as_str())).collect();
    let emptied: Vec<_> = emptied
        .into_iter()
        .map(|(notice, lapse)| Emptied { notice, reason: reason_of(lapse).as_str() })
        .collect();
    let cancelled: Vec<String> = query_scalar(
        "UPDATE notices SET state = 'cancelled', reason = j.value ->> 'reason' FROM json_each($1) j
         WHERE notice_id = j.value ->> 'notice' AND NOT EXISTS
            (SELECT 1 FROM notice_items i WHERE i.notice_id = notices.notice_id AND i.counts_as_step = TRUE)
         RETURNING notice_id",
    )
    .bind(json_list(&emptied)?)
    .fetch_all(&mut *tx)
    .await?;
    let cancelled: BTreeSet<String> = cancelled.into_iter().collect();
    let rest: Vec<_> =
        emptied.iter().map(|row| row.notice).filter(|notice| !cancelled.contains(*notice)).collect();
    continue_without(tx, &rest).await
}

/// Takes members, a JSON list, out of their unsent notices. Cancels those that nobody else shares. Each of their steps can
/// be planned again.
pub(super) async fn drop_members(tx: &mut Tx, members: &str, reason: NoticeReason, now: Time) -> Result<()> {
    let shared: Vec<(String, String)> = query_as(
        "UPDATE notice_items SET counts_as_step = FALSE
         WHERE counts_as_step = TRUE
           AND lapse_id IN (SELECT lapse_id FROM lapses WHERE member_id IN (SELECT value FROM json_each($1)))
           AND EXISTS (SELECT 1 FROM notices n
                       WHERE n.notice_id = notice_items.notice_id AND n.state IN ('queued', 'held'))
           AND EXISTS (SELECT 1 FROM notice_items o JOIN lapses l ON l.lapse_id = o.lapse_id
                       WHERE o.notice_id = notice_items.notice_id AND o.counts_as_step = TRUE
                         AND l.member_id NOT IN (SELECT value FROM json_each($1)))
         RETURNING notice_id, lapse_id",
    )
    .bind(members)
    .fetch_all(&mut *tx)
    .await?;
    decisions::record_items(tx, &shared, |_| reason, now).await?;
    let shared: BTreeSet<&str> = shared.iter().map(|(notice, _)| notice.as_str()).collect();
    continue_without(tx, &shared.into_iter().collect::<Vec<_>>()).await?;
    cancel_unsent(tx, "member_id IN (SELECT value FROM json_each($1))", members.to_owned(), reason, now).await
}

/// Notices that are about less than before, but about something: the first of the remaining members gets them.
async fn continue_without<T: Serialize>(tx: &mut Tx, notices: &[T]) -> Result<()> {
    let notices = json_list(notices)?;
    query(
        "UPDATE notice_items SET in_email = FALSE
         WHERE counts_as_step = FALSE AND notice_id IN (SELECT value FROM json_each($1))",
    )
    .bind(&notices)
    .execute(&mut *tx)
    .await?;
    query(
        "UPDATE notices SET (member_id, step) =
            (SELECT min(l.member_id), min(i.step) FROM notice_items i JOIN lapses l ON l.lapse_id = i.lapse_id
             WHERE i.notice_id = notices.notice_id AND i.counts_as_step = TRUE)
         WHERE notice_id IN (SELECT value FROM json_each($1))",
    )
    .bind(&notices)
    .execute(tx)
    .await?;
    Ok(())
}

/// Cancels the unsent notices that meet a condition in SQL, in which `$1` is the value. Each of their steps can be planned
/// again.
pub(super) async fn cancel_unsent(
    tx: &mut Tx,
    condition: &str,
    value: impl Into<Value>,
    reason: NoticeReason,
    now: Time,
) -> Result<()> {
    let cancelled: Vec<String> = query_scalar(format!(
        "UPDATE notices SET state = 'cancelled', reason = $2 WHERE state IN ('queued', 'held') AND {condition}
         RETURNING notice_id"
    ))
    .bind(value)
    .bind(reason.as_str())
    .fetch_all(&mut *tx)
    .await?;
    if cancelled.is_empty() {
        return Ok(());
    }
    decisions::record_notices(tx, &cancelled, reason, now).await?;
    query(
        "UPDATE notice_items SET counts_as_step = FALSE
         WHERE counts_as_step = TRUE AND notice_id IN (SELECT value FROM json_each($1))",
    )
    .bind(json_list(&cancelled)?)
    .execute(tx)
    .await?;
    Ok(())
}
