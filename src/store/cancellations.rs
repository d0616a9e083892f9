//! Cancels unsent notices when their lapses end.

use super::convert::json_list;
use super::engine::{Tx, Value, query, query_as, query_scalar};
use super::error::Result;
use super::row_locks::lock_notices_about;
use crate::domain::{LapseId, NoticeReason, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;

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
pub(super) async fn cancel_for_lapses(tx: &mut Tx, lapses: &[ClosedLapse]) -> Result<()> {
    if lapses.is_empty() {
        return Ok(());
    }
    let outcomes: BTreeMap<&str, Option<Outcome>> =
        lapses.iter().map(|lapse| (lapse.id.as_str(), lapse.outcome)).collect();
    let ids = outcomes.keys().collect::<Vec<_>>();
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
    let emptied: BTreeMap<&str, &str> =
        freed.iter().map(|(notice, lapse)| (notice.as_str(), lapse.as_str())).collect();
    let emptied: Vec<_> = emptied
        .into_iter()
        .map(|(notice, lapse)| {
            let outcome = outcomes.get(lapse).copied().flatten();
            Emptied { notice, reason: NoticeReason::for_closed_lapse(outcome).as_str() }
        })
        .collect();
    query(
        "UPDATE notices SET state = 'cancelled', reason = j.value ->> 'reason' FROM json_each($1) j
         WHERE notice_id = j.value ->> 'notice' AND NOT EXISTS
            (SELECT 1 FROM notice_items i WHERE i.notice_id = notices.notice_id AND i.counts_as_step = TRUE)",
    )
    .bind(json_list(&emptied)?)
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
) -> Result<()> {
    let cancelled: Vec<String> = query_scalar(format!(
        "UPDATE notices SET state = 'cancelled', reason = $2 WHERE state IN ('queued', 'held') AND {condition}
         RETURNING notice_id"
    ))
    .bind(value)
    .bind(reason.as_str())
    .fetch_all(&mut *tx)
    .await?;
    query(
        "UPDATE notice_items SET counts_as_step = FALSE
         WHERE counts_as_step = TRUE AND notice_id IN (SELECT value FROM json_each($1))",
    )
    .bind(json_list(&cancelled)?)
    .execute(tx)
    .await?;
    Ok(())
}
