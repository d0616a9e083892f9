//! The planner's queue: loads the facts about a page of members and stores the decisions in the same transaction.

use super::engine::{Tx, query, query_scalar};
use super::planning_inputs::{self, WAITS_FOR_SWEEP};
use super::row_locks::lock_members;
use super::{Result, Store, clamp, json_list, millis, planned_notices};
use crate::domain::{LapseId, MemberId, NoticeId, PlanningInput, PlanningOutput, Time};
use serde::Serialize;
use std::collections::HashSet;

/// When to evaluate a lapse again.
#[derive(Serialize)]
struct NextRow<'a> {
    lapse: &'a LapseId,
    at: Option<i64>,
}

impl Store {
    /// The members of the next lapses, at most `limit`, that are due for planning, each once. A lapse is due when it is
    /// open or just recovered.
    pub(crate) async fn members_to_plan(&self, now: Time, limit: u32) -> Result<Vec<MemberId>> {
        let due: Vec<String> = query_scalar(format!(
            "SELECT member_id FROM lapses l WHERE plan_at IS NOT NULL AND plan_at <= $1 AND state <> 'suspected'
               AND NOT {WAITS_FOR_SWEEP} ORDER BY plan_at LIMIT $2"
        ))
        .bind(millis(now))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let mut seen = HashSet::new();
        Ok(due.into_iter().filter(|member| seen.insert(member.clone())).map(MemberId::new).collect())
    }

    /// Plans for those of the members who are still due. `plan` runs inside the transaction, so no change is missed and no
    /// step is planned twice. Returns the queued notices.
    pub(crate) async fn plan_members(
        &self,
        members: &[MemberId],
        now: Time,
        plan: impl Fn(&PlanningInput) -> PlanningOutput,
    ) -> Result<Vec<(MemberId, NoticeId)>> {
        let wanted = json_list(members)?;
        let plan = &plan;
        self.write(async |mut tx| {
            lock_members(&mut tx, members).await?;
            let due: Vec<String> = query_scalar(format!(
                "SELECT DISTINCT member_id FROM lapses l WHERE member_id IN (SELECT value FROM json_each($1))
                   AND plan_at IS NOT NULL AND plan_at <= $2 AND state <> 'suspected' AND NOT {WAITS_FOR_SWEEP}
                 ORDER BY member_id"
            ))
            .bind(&wanted)
            .bind(millis(now))
            .fetch_all(&mut tx)
            .await?;
            let due: Vec<MemberId> = due.into_iter().map(MemberId::new).collect();
            if due.is_empty() {
                return Ok(Vec::new());
            }
            clamp::clamp(&mut tx, &due, now).await?;
            let (mut next, mut planned) = (Vec::new(), Vec::new());
            for input in planning_inputs::read(&mut tx, &due, None).await? {
                let output = plan(&input);
                next.extend(output.next_evaluation);
                planned.extend(output.notices.into_iter().map(|notice| (input.member_id.clone(), notice)));
            }
            evaluate_next(&mut tx, &next).await?;
            clear_recovered(&mut tx, &due).await?;
            planned_notices::queue(&mut tx, &planned, now).await
        })
        .await
    }

    /// Evaluates a member's due lapses no sooner than `until`.
    pub(crate) async fn postpone_planning(&self, member: &MemberId, now: Time, until: Time) -> Result<()> {
        let postpone = query("UPDATE lapses SET plan_at = $3 WHERE member_id = $1 AND plan_at <= $2");
        self.execute(postpone.bind(member.as_str()).bind(millis(now)).bind(millis(until))).await?;
        Ok(())
    }
}

async fn evaluate_next(tx: &mut Tx, next: &[(LapseId, Option<Time>)]) -> Result<()> {
    let next: Vec<_> = next.iter().map(|(lapse, at)| NextRow { lapse, at: at.map(millis) }).collect();
    query(
        "UPDATE lapses SET plan_at = e.plan_at
         FROM (SELECT value ->> 'lapse' AS lapse_id, CAST(value ->> 'at' AS BIGINT) AS plan_at
               FROM json_each($1)) AS e
         WHERE lapses.lapse_id = e.lapse_id AND lapses.state = 'open'
           AND lapses.plan_at IS DISTINCT FROM e.plan_at",
    )
    .bind(json_list(&next)?)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Closed lapses wait for nothing once their recovery was evaluated.
async fn clear_recovered(tx: &mut Tx, members: &[MemberId]) -> Result<()> {
    query(
        "UPDATE lapses SET plan_at = NULL WHERE member_id IN (SELECT value FROM json_each($1))
           AND state = 'closed' AND plan_at IS NOT NULL",
    )
    .bind(json_list(members)?)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
