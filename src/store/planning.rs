//! What the planner reads and writes: open lapses with what was said of them, and the notices made of them.

use super::{RecoveredLapse, Result, Store, clamp, count, lapses, millis, recoveries, suppressions, time};
use crate::base::random;
use crate::domain::{
    Lapse, LapseId, MemberId, NoticeId, NoticeItem, NoticeKind, NoticeState, Repair, Status, Time,
};
use sqlx::{Row, Sqlite, Transaction};

/// What was said of a lapse so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SaidLast {
    /// The step.
    pub(crate) step: u32,
    /// Where its notice stands.
    pub(crate) state: NoticeState,
    /// When it was sent.
    pub(crate) sent_at: Option<Time>,
    /// When the first step was sent.
    pub(crate) first_sent_at: Option<Time>,
    /// Whether a notice beyond the cadence was sent, or is about to be.
    pub(crate) extra: bool,
}

/// An open lapse, as the planner needs it.
#[derive(Clone, Debug)]
pub(crate) struct OpenLapse {
    /// The lapse.
    pub(crate) lapse: Lapse,
    /// Its connection's present status.
    pub(crate) status: Option<Status>,
    /// How its connection is repaired.
    pub(crate) repair: Repair,
    /// Whether the last response left its connection out.
    pub(crate) is_missing: bool,
    /// The last that was said of it.
    pub(crate) said: Option<SaidLast>,
}

/// One member's part of the plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanInput {
    /// Whose.
    pub(crate) member_id: MemberId,
    /// Whether the operator asked to leave them alone.
    pub(crate) paused: bool,
    /// Whether mails to their address are suppressed.
    pub(crate) suppressed: bool,
    /// When they last got a notice; one under way counts from its planning. Notices of recovery do not count.
    pub(crate) last_notice_at: Option<Time>,
    /// Their open lapses.
    pub(crate) open: Vec<OpenLapse>,
    /// Their lapses that have ended in recovery since the planner was last here.
    pub(crate) recovered: Vec<RecoveredLapse>,
}

/// What a plan for one member comes to.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The notices to be queued now.
    pub(crate) notices: Vec<PlannedNotice>,
    /// When to look next at each lapse looked at; `None`: not until something happens.
    pub(crate) look_next: Vec<(LapseId, Option<Time>)>,
}

/// A notice to be queued.
#[derive(Clone, Debug)]
pub(crate) struct PlannedNotice {
    /// What it is for.
    pub(crate) kind: NoticeKind,
    /// Why, as a reason code.
    pub(crate) reason: &'static str,
    /// What it is about: at least one.
    pub(crate) items: Vec<NoticeItem>,
    /// The lapses among them whose item is beyond their cadence.
    pub(crate) extra: Vec<LapseId>,
}

/// How a lapse is chosen: the one whose time has come first, be it open or one that has just recovered.
const NEXT: &str =
    "SELECT member_id FROM lapses WHERE plan_at IS NOT NULL AND plan_at <= $1 AND state <> 'suspected'
    ORDER BY plan_at LIMIT 1";

impl Store {
    /// Plans for the member whose lapses are due first at `now`. `plan` is given what is known, and what it comes to
    /// is written together with it, so that nothing that happens meanwhile is passed over and no step is planned
    /// twice. Gives the member, with the notices that were queued; `None` when nobody is due.
    pub(crate) async fn plan_next(
        &self,
        now: Time,
        plan: impl FnOnce(PlanInput) -> Planned,
    ) -> Result<Option<(MemberId, Vec<NoticeId>)>> {
        // Nearly always nobody is due, and that is found out without the writer.
        let due: Option<String> =
            sqlx::query_scalar(NEXT).bind(millis(now)).fetch_optional(&self.reader).await?;
        if due.is_none() {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        let due: Option<String> = sqlx::query_scalar(NEXT).bind(millis(now)).fetch_optional(&mut *tx).await?;
        let Some(member) = due.map(MemberId::new) else { return Ok(None) };
        clamp::clamp(&mut tx, &member, now).await?;
        let planned = plan(input(&mut tx, &member).await?);
        for (lapse, at) in &planned.look_next {
            sqlx::query("UPDATE lapses SET plan_at = $2 WHERE lapse_id = $1 AND state = 'open'")
                .bind(lapse.as_str())
                .bind(at.map(millis))
                .execute(&mut *tx)
                .await?;
        }
        recoveries::planned(&mut tx, &member).await?;
        let mut notices = Vec::new();
        for notice in &planned.notices {
            notices.push(queue(&mut tx, &member, notice, now).await?);
        }
        tx.commit().await?;
        Ok(Some((member, notices)))
    }
}

async fn input(tx: &mut Transaction<'_, Sqlite>, member: &MemberId) -> Result<PlanInput> {
    let sql = format!(
        "SELECT paused_at, {} AS suppressed,
            (SELECT max(coalesce(sent_at, planned_at)) FROM notices n WHERE n.member_id = m.member_id
             AND n.kind <> 'recovered' AND n.state IN ('queued', 'sending', 'held', 'sent')) AS last_notice_at
         FROM members m WHERE member_id = $1",
        suppressions::SUPPRESSED
    );
    let facts = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(member.as_str()).fetch_one(&mut **tx).await?;
    let sql = format!(
        "SELECT {}, {}, i.step, n.state AS notice_state, n.sent_at,
            (SELECT f.sent_at FROM notice_items fi JOIN notices f ON f.notice_id = fi.notice_id
             WHERE fi.lapse_id = l.lapse_id AND fi.live = 1 AND fi.step = 0) AS first_sent_at,
            EXISTS (SELECT 1 FROM notice_items e WHERE e.lapse_id = l.lapse_id AND e.live = 1 AND e.extra = 1) AS extra
         FROM lapses l
         JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
         LEFT JOIN notice_items i ON i.lapse_id = l.lapse_id AND i.live = 1
            AND i.step = (SELECT max(step) FROM notice_items x WHERE x.lapse_id = l.lapse_id AND x.live = 1)
         LEFT JOIN notices n ON n.notice_id = i.notice_id
         WHERE l.member_id = $1 AND l.state = 'open' ORDER BY l.lapse_id",
        lapses::COLUMNS,
        super::connections::COLUMNS
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(member.as_str()).fetch_all(&mut **tx).await?;
    let open = rows
        .iter()
        .map(|row| {
            let connection = super::connections::read(row)?;
            let state: Option<String> = row.try_get("notice_state")?;
            let said = match state.as_deref().and_then(NoticeState::parse) {
                None => None,
                Some(state) => Some(SaidLast {
                    step: count(row.try_get("step")?),
                    state,
                    sent_at: row.try_get::<Option<i64>, _>("sent_at")?.map(time),
                    first_sent_at: row.try_get::<Option<i64>, _>("first_sent_at")?.map(time),
                    extra: row.try_get("extra")?,
                }),
            };
            Ok(OpenLapse {
                lapse: lapses::read(row)?,
                repair: connection.repair(),
                is_missing: connection.is_missing,
                status: connection.connection.status,
                said,
            })
        })
        .collect::<Result<_>>()?;
    Ok(PlanInput {
        member_id: member.clone(),
        paused: facts.try_get::<Option<i64>, _>("paused_at")?.is_some(),
        suppressed: facts.try_get("suppressed")?,
        last_notice_at: facts.try_get::<Option<i64>, _>("last_notice_at")?.map(time),
        open,
        recovered: recoveries::unplanned(tx, member).await?,
    })
}

async fn queue(
    tx: &mut Transaction<'_, Sqlite>,
    member: &MemberId,
    planned: &PlannedNotice,
    now: Time,
) -> Result<NoticeId> {
    let notice = NoticeId::new(random::id(now));
    sqlx::query(
        "INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(notice.as_str())
    .bind(member.as_str())
    .bind(planned.kind.as_str())
    .bind(planned.items.iter().map(|item| item.step).min().unwrap_or_default())
    .bind(NoticeState::Queued.as_str())
    .bind(planned.reason)
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    for item in &planned.items {
        sqlx::query(
            "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, live, extra)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(notice.as_str())
        .bind(item.lapse_id.as_str())
        .bind(item.connection_id.as_str())
        .bind(item.step)
        .bind(planned.kind == NoticeKind::Reconnect)
        .bind(planned.extra.contains(&item.lapse_id))
        .execute(&mut **tx)
        .await?;
    }
    Ok(notice)
}
