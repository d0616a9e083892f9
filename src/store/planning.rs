//! What the planner reads and writes: open lapses with what was said of them, and the notices made of them.

use super::{Result, Store, count, lapses, millis, time};
use crate::domain::{Lapse, LapseId, MemberId, NoticeId, NoticeItem, NoticeState, Repair, Status, Time};
use crate::random;
use sqlx::Row;

/// What was said of a lapse so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidLast {
    /// The step.
    pub step: u32,
    /// Where its notice stands.
    pub state: NoticeState,
    /// When it was sent.
    pub sent_at: Option<Time>,
    /// When the first step was sent.
    pub first_sent_at: Option<Time>,
}

/// An open lapse, as the planner needs it.
#[derive(Clone, Debug)]
pub struct OpenLapse {
    /// The lapse.
    pub lapse: Lapse,
    /// Its connection's present status.
    pub status: Option<Status>,
    /// How its connection is repaired.
    pub repair: Repair,
    /// The last that was said of it.
    pub said: Option<SaidLast>,
}

/// One member's part of the plan.
#[derive(Clone, Debug)]
pub struct PlanInput {
    /// Whose.
    pub member_id: MemberId,
    /// Whether the operator asked to leave them alone.
    pub paused: bool,
    /// When they last got a notice; one under way counts from its planning.
    pub last_notice_at: Option<Time>,
    /// Their open lapses.
    pub open: Vec<OpenLapse>,
}

impl Store {
    /// The member whose lapses the planner has to look at next, if any is due at `now`.
    pub async fn next_to_plan(&self, now: Time) -> Result<Option<PlanInput>> {
        let member: Option<String> = sqlx::query_scalar(
            "SELECT member_id FROM lapses WHERE plan_at IS NOT NULL AND plan_at <= $1 AND state = 'open' ORDER BY plan_at LIMIT 1",
        )
        .bind(millis(now))
        .fetch_optional(&self.reader)
        .await?;
        match member {
            None => Ok(None),
            Some(id) => Ok(Some(self.plan_input(&MemberId::new(id)).await?)),
        }
    }

    async fn plan_input(&self, member: &MemberId) -> Result<PlanInput> {
        let facts = sqlx::query(
            "SELECT paused_at,
                (SELECT max(coalesce(sent_at, planned_at)) FROM notices n WHERE n.member_id = m.member_id
                 AND n.state IN ('queued', 'sending', 'held', 'sent')) AS last_notice_at
             FROM members m WHERE member_id = $1",
        )
        .bind(member.as_str())
        .fetch_one(&self.reader)
        .await?;
        let sql = format!(
            "SELECT {}, {}, i.step, n.state AS notice_state, n.sent_at,
                (SELECT f.sent_at FROM notice_items fi JOIN notices f ON f.notice_id = fi.notice_id
                 WHERE fi.lapse_id = l.lapse_id AND fi.live = 1 AND fi.step = 0) AS first_sent_at
             FROM lapses l
             JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
             LEFT JOIN notice_items i ON i.lapse_id = l.lapse_id AND i.live = 1
                AND i.step = (SELECT max(step) FROM notice_items x WHERE x.lapse_id = l.lapse_id AND x.live = 1)
             LEFT JOIN notices n ON n.notice_id = i.notice_id
             WHERE l.member_id = $1 AND l.state = 'open' ORDER BY l.lapse_id",
            lapses::COLUMNS,
            super::connections::COLUMNS
        );
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(member.as_str()).fetch_all(&self.reader).await?;
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
                    }),
                };
                Ok(OpenLapse {
                    lapse: lapses::read(row)?,
                    repair: connection.repair(),
                    status: connection.connection.status,
                    said,
                })
            })
            .collect::<Result<_>>()?;
        Ok(PlanInput {
            member_id: member.clone(),
            paused: facts.try_get::<Option<i64>, _>("paused_at")?.is_some(),
            last_notice_at: facts.try_get::<Option<i64>, _>("last_notice_at")?.map(time),
            open,
        })
    }

    /// Queues one notice about `items` and tells for each lapse looked at when to look next (`None`: not until
    /// something happens). Where another planner was first, the step it took is left to it: each step of a lapse is
    /// planned once.
    pub async fn planned(
        &self,
        member: &MemberId,
        items: &[NoticeItem],
        reason: &str,
        look_next: &[(LapseId, Option<Time>)],
        now: Time,
    ) -> Result<Option<NoticeId>> {
        let mut tx = self.begin().await?;
        for (lapse, at) in look_next {
            sqlx::query("UPDATE lapses SET plan_at = $2 WHERE lapse_id = $1 AND state = 'open'")
                .bind(lapse.as_str())
                .bind(at.map(millis))
                .execute(&mut *tx)
                .await?;
        }
        let notice = NoticeId::new(random::id(now));
        let mut step = None;
        if !items.is_empty() {
            sqlx::query(
                "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before)
                 VALUES ($1, $2, 0, $3, $4, $5, $5)",
            )
            .bind(notice.as_str())
            .bind(member.as_str())
            .bind(NoticeState::Queued.as_str())
            .bind(reason)
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        }
        for item in items {
            let taken = sqlx::query(
                "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step)
                 SELECT $1, lapse_id, connection_id, $3 FROM lapses WHERE lapse_id = $2 AND state = 'open'
                 ON CONFLICT DO NOTHING",
            )
            .bind(notice.as_str())
            .bind(item.lapse_id.as_str())
            .bind(item.step)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if taken > 0 {
                step = Some(step.map_or(item.step, |lowest: u32| lowest.min(item.step)));
            }
        }
        match step {
            Some(step) => {
                sqlx::query("UPDATE notices SET step = $2 WHERE notice_id = $1")
                    .bind(notice.as_str())
                    .bind(step)
                    .execute(&mut *tx)
                    .await?;
            }
            None => {
                sqlx::query("DELETE FROM notices WHERE notice_id = $1")
                    .bind(notice.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(step.map(|_| notice))
    }
}
