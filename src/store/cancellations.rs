//! Cancels unsent notices when their lapses end.

use super::convert::json_list;
use super::decisions::{self, NewDecision};
use super::engine::{Row, Tx, Value, query, query_as, query_scalar};
use super::error::Result;
use super::row::RowExt;
use super::row_locks::lock_notices_about;
use crate::domain::{
    ConnectionId, DecisionSubject, LapseId, MemberId, NoticeId, NoticeReason, Outcome, Time,
};
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
    record_items(tx, &freed, reason_of, now).await?;
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
    record_items(tx, &shared, |_| reason, now).await?;
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
    record_notices(tx, &cancelled, reason, now).await?;
    query(
        "UPDATE notice_items SET counts_as_step = FALSE
         WHERE counts_as_step = TRUE AND notice_id IN (SELECT value FROM json_each($1))",
    )
    .bind(json_list(&cancelled)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// A part of a notice that is cancelled.
struct CancelledPart {
    notice: NoticeId,
    member: MemberId,
    connection: Option<ConnectionId>,
    /// `None`: the notice is about none.
    lapse: Option<LapseId>,
}

impl CancelledPart {
    fn read(row: &Row) -> Result<Self> {
        let (notice, member) = (row.text("notice_id")?, row.text("member_id")?);
        let (connection, lapse) = (row.optional_text("connection_id")?, row.optional_text("lapse_id")?);
        Ok(Self { notice, member, connection, lapse })
    }

    fn decision(&self, reason: NoticeReason) -> NewDecision<'_> {
        NewDecision {
            member: &self.member,
            connection: self.connection.as_ref(),
            lapse: self.lapse.as_ref(),
            notice: Some(&self.notice),
            subject: DecisionSubject::Notice,
            reason,
            not_before: None,
        }
    }
}

/// Records why notices lose lapses, which are pairs of their ids.
async fn record_items(
    tx: &mut Tx,
    items: &[(String, String)],
    reason_of: impl Fn(&str) -> NoticeReason,
    now: Time,
) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let lapses: Vec<&str> = items.iter().map(|(_, lapse)| lapse.as_str()).collect();
    let rows: Vec<(String, String, String)> = query_as(
        "SELECT lapse_id, member_id, connection_id FROM lapses
         WHERE lapse_id IN (SELECT value FROM json_each($1))",
    )
    .bind(json_list(&lapses)?)
    .fetch_all(&mut *tx)
    .await?;
    let owners: BTreeMap<&str, (&str, &str)> = rows
        .iter()
        .map(|(lapse, member, connection)| (lapse.as_str(), (member.as_str(), connection.as_str())))
        .collect();
    let part = |(notice, lapse): &(String, String)| {
        let (member, connection) = owners.get(lapse.as_str())?;
        Some(CancelledPart {
            notice: NoticeId::new(notice.as_str()),
            member: MemberId::new(*member),
            connection: Some(ConnectionId::new(*connection)),
            lapse: Some(LapseId::new(lapse.as_str())),
        })
    };
    let parts: Vec<CancelledPart> = items.iter().filter_map(part).collect();
    let reason = |part: &CancelledPart| reason_of(part.lapse.as_ref().map_or("", LapseId::as_str));
    let decisions: Vec<_> = parts.iter().map(|part| part.decision(reason(part))).collect();
    decisions::record(tx, &decisions, now).await
}

/// Records why whole notices are cancelled, for each of their lapses.
pub(super) async fn record_notices(
    tx: &mut Tx,
    notices: &[String],
    reason: NoticeReason,
    now: Time,
) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let rows = query(
        "SELECT n.notice_id, coalesce(l.member_id, n.member_id) AS member_id, l.lapse_id,
            coalesce(l.connection_id, v.connection_id) AS connection_id
         FROM notices n
         LEFT JOIN notice_items i ON i.notice_id = n.notice_id AND i.in_email IS DISTINCT FROM FALSE
         LEFT JOIN lapses l ON l.lapse_id = i.lapse_id
         LEFT JOIN invitations v ON v.notice_id = n.notice_id
         WHERE n.notice_id IN (SELECT value FROM json_each($1)) ORDER BY n.notice_id, l.lapse_id",
    )
    .bind(json_list(notices)?)
    .fetch_all(&mut *tx)
    .await?;
    let parts = rows.iter().map(CancelledPart::read).collect::<Result<Vec<_>>>()?;
    let decisions: Vec<_> = parts.iter().map(|part| part.decision(reason)).collect();
    decisions::record(tx, &decisions, now).await
}
