//! The planner's queue: loads one member's facts and stores the decisions in the same transaction.

use super::engine::{Row, Tx, query, query_scalar};
use super::{Result, Store, clamp, connections, count, lapses, millis, recoveries, suppressions, time};
use crate::base::random;
use crate::domain::{
    LapseInput, LastNotice, MemberId, NoticeId, NoticeKind, NoticeState, PlannedNotice, PlanningInput,
    PlanningOutput, Recipient, Time,
};

/// The open or just recovered lapse that is due first.
const NEXT: &str =
    "SELECT member_id FROM lapses WHERE plan_at IS NOT NULL AND plan_at <= $1 AND state <> 'suspected'
     ORDER BY plan_at LIMIT 1";

impl Store {
    /// Plans for the member whose lapses are due first. `plan` runs inside the transaction, so no change is missed and
    /// no step is planned twice. Returns the member and the queued notices; `None` when no lapse is due.
    pub(crate) async fn plan_next(
        &self,
        now: Time,
        plan: impl Fn(PlanningInput) -> PlanningOutput,
    ) -> Result<Option<(MemberId, Vec<NoticeId>)>> {
        // Usually no lapse is due. A read is enough to know that.
        let due: Option<String> = query_scalar(NEXT).bind(millis(now)).fetch_optional(&self.reader).await?;
        if due.is_none() {
            return Ok(None);
        }
        self.write(async |mut tx| {
            let due: Option<String> = query_scalar(NEXT).bind(millis(now)).fetch_optional(&mut tx).await?;
            let Some(member) = due.map(MemberId::new) else { return Ok(None) };
            clamp::clamp(&mut tx, &member, now).await?;
            let output = plan(planning_input(&mut tx, &member).await?);
            for (lapse, at) in &output.next_evaluation {
                query("UPDATE lapses SET plan_at = $2 WHERE lapse_id = $1 AND state = 'open'")
                    .bind(lapse.as_str())
                    .bind(at.map(millis))
                    .execute(&mut tx)
                    .await?;
            }
            recoveries::clear_pending(&mut tx, &member).await?;
            let mut notices = Vec::new();
            for notice in &output.notices {
                notices.push(queue(&mut tx, &member, notice, now).await?);
            }
            Ok(Some((member, notices)))
        })
        .await
    }
}

async fn planning_input(tx: &mut Tx, member: &MemberId) -> Result<PlanningInput> {
    Ok(PlanningInput {
        member_id: member.clone(),
        recipient: recipient(tx, member).await?,
        open: open_lapses(tx, member).await?,
        recovered: recoveries::pending_recoveries(tx, member).await?,
    })
}

async fn recipient(tx: &mut Tx, member: &MemberId) -> Result<Recipient> {
    let sql = format!(
        "SELECT paused_at IS NOT NULL AS is_paused, {} AS is_suppressed,
            (SELECT max(coalesce(sent_at, planned_at)) FROM notices n WHERE n.member_id = m.member_id
             AND n.kind <> 'recovered' AND n.state IN ('queued', 'sending', 'held', 'sent')) AS last_notice_at
         FROM members m WHERE member_id = $1",
        suppressions::SUPPRESSED
    );
    let row = query(sql).bind(member.as_str()).fetch_one(&mut *tx).await?;
    Ok(Recipient {
        is_paused: row.try_get("is_paused")?,
        is_suppressed: row.try_get("is_suppressed")?,
        last_notice_at: row.try_get::<Option<i64>>("last_notice_at")?.map(time),
    })
}

async fn open_lapses(tx: &mut Tx, member: &MemberId) -> Result<Vec<LapseInput>> {
    let sql = format!(
        "SELECT {}, {}, i.step, n.state AS notice_state, n.sent_at,
            (SELECT f.sent_at FROM notice_items fi JOIN notices f ON f.notice_id = fi.notice_id
             WHERE fi.lapse_id = l.lapse_id AND fi.counts_as_step = 1 AND fi.step = 0) AS first_sent_at,
            EXISTS (SELECT 1 FROM notice_items e WHERE e.lapse_id = l.lapse_id AND e.counts_as_step = 1
                    AND e.extra = 1) AS is_extra
         FROM lapses l
         JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
         LEFT JOIN notice_items i ON i.lapse_id = l.lapse_id AND i.counts_as_step = 1
            AND i.step = (SELECT max(step) FROM notice_items x
                          WHERE x.lapse_id = l.lapse_id AND x.counts_as_step = 1)
         LEFT JOIN notices n ON n.notice_id = i.notice_id
         WHERE l.member_id = $1 AND l.state = 'open' ORDER BY l.lapse_id",
        lapses::COLUMNS,
        connections::COLUMNS
    );
    let rows = query(sql).bind(member.as_str()).fetch_all(&mut *tx).await?;
    rows.iter().map(lapse_input).collect()
}

fn lapse_input(row: &Row) -> Result<LapseInput> {
    let (lapse, connection) = (lapses::read(row)?, connections::read(row)?);
    Ok(LapseInput {
        opened_at: lapse.opened_at.unwrap_or(lapse.suspected_at),
        broken_since: lapse.suspected_at,
        lapse_id: lapse.id,
        connection_id: lapse.connection_id,
        repair: connection.repair(),
        is_missing: connection.is_missing,
        status: connection.connection.status,
        last_notice: last_notice(row)?,
    })
}

fn last_notice(row: &Row) -> Result<LastNotice> {
    let state: Option<String> = row.try_get("notice_state")?;
    let sent_at = row.try_get::<Option<i64>>("sent_at")?.map(time);
    Ok(match (state.as_deref().and_then(|text| text.parse().ok()), sent_at) {
        (None | Some(NoticeState::Cancelled), _) => LastNotice::None,
        (Some(NoticeState::Sent), Some(last_sent_at)) => LastNotice::Sent {
            step: count(row.try_get("step")?),
            first_sent_at: row.try_get::<Option<i64>>("first_sent_at")?.map_or(last_sent_at, time),
            last_sent_at,
            is_extra: row.try_get("is_extra")?,
        },
        (Some(NoticeState::Abandoned), _) => LastNotice::Abandoned,
        (Some(_), _) => LastNotice::Pending,
    })
}

async fn queue(tx: &mut Tx, member: &MemberId, planned: &PlannedNotice, now: Time) -> Result<NoticeId> {
    let notice = NoticeId::new(random::id(now));
    query(
        "INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before, domain)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, (SELECT domain FROM members WHERE member_id = $2))",
    )
    .bind(notice.as_str())
    .bind(member.as_str())
    .bind(planned.kind.as_str())
    .bind(planned.items.iter().map(|item| item.step).min().unwrap_or_default())
    .bind(NoticeState::Queued.as_str())
    .bind(planned.reason.as_str())
    .bind(millis(now))
    .execute(&mut *tx)
    .await?;
    for item in &planned.items {
        query(
            "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step, extra)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(notice.as_str())
        .bind(item.lapse_id.as_str())
        .bind(item.connection_id.as_str())
        .bind(item.step)
        .bind(planned.kind == NoticeKind::Reconnect)
        .bind(planned.extra.contains(&item.lapse_id))
        .execute(&mut *tx)
        .await?;
    }
    Ok(notice)
}
