//! The planner's queue: loads the facts about a page of members and stores the decisions in the same transaction.

use super::decisions::{self, NewDecision};
use super::engine::{Tx, query, query_as, query_scalar};
use super::planning_inputs::{self, WAITS_FOR_SWEEP};
use super::row_locks::{lock_members, lock_waiting_notices};
use super::{Result, Store, clamp, json_list, millis, planned_notices, reachability};
use crate::domain::{
    AddressInput, DecisionSubject, LapseId, MemberId, NoticeId, PlannedDecision, PlanningOutput, Time,
};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

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

    /// Plans for those of the members who are still due, and for all who share their addresses. `plan` runs inside the
    /// transaction, so no change is missed and no step is planned twice. Returns the notices that are new.
    pub(crate) async fn plan_members(
        &self,
        members: &[MemberId],
        now: Time,
        plan: impl Fn(&AddressInput) -> PlanningOutput,
    ) -> Result<Vec<(MemberId, NoticeId)>> {
        let wanted = json_list(members)?;
        let plan = &plan;
        self.write(async |mut tx| {
            let shared: Vec<String> = query_scalar(
                "SELECT member_id FROM members WHERE member_id IN (SELECT value FROM json_each($1))
                 UNION SELECT member_id FROM members WHERE address_hash IN
                    (SELECT address_hash FROM members WHERE member_id IN (SELECT value FROM json_each($1)))
                 ORDER BY member_id",
            )
            .bind(&wanted)
            .fetch_all(&mut tx)
            .await?;
            let shared: Vec<MemberId> = shared.into_iter().map(MemberId::new).collect();
            lock_members(&mut tx, &shared).await?;
            let is_due: bool = query_scalar(format!(
                "SELECT EXISTS (SELECT 1 FROM lapses l WHERE member_id IN (SELECT value FROM json_each($1))
                   AND plan_at IS NOT NULL AND plan_at <= $2 AND state <> 'suspected' AND NOT {WAITS_FOR_SWEEP})"
            ))
            .bind(&wanted)
            .bind(millis(now))
            .fetch_one(&mut tx)
            .await?;
            if !is_due {
                return Ok(Vec::new());
            }
            lock_waiting_notices(&mut tx, &shared).await?;
            clamp::clamp(&mut tx, &shared, now).await?;
            let evaluate = |input: AddressInput| {
                let output = plan(&input);
                (input, output)
            };
            let inputs = planning_inputs::read(&mut tx, &shared, None).await?;
            let planned: Vec<(AddressInput, PlanningOutput)> = inputs.into_iter().map(evaluate).collect();
            let due = due_since(&mut tx, &shared, now).await?;
            let next: Vec<_> = planned.iter().flat_map(|(_, output)| &output.decisions).collect();
            evaluate_next(&mut tx, &next).await?;
            clear_recovered(&mut tx, &shared).await?;
            let notices = planned_notices::store(&mut tx, &planned, &due, now).await?;
            record_decisions(&mut tx, &planned, &notices, now).await?;
            reachability::reassess(&mut tx, &shared, now).await?;
            Ok(new_notices(&planned, &notices))
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

/// Since when members wait for the planner.
async fn due_since(tx: &mut Tx, members: &[MemberId], now: Time) -> Result<HashMap<MemberId, i64>> {
    let rows: Vec<(String, i64)> = query_as(
        "SELECT member_id, min(plan_at) FROM lapses WHERE member_id IN (SELECT value FROM json_each($1))
           AND plan_at <= $2 AND state <> 'suspected' GROUP BY member_id",
    )
    .bind(json_list(members)?)
    .bind(millis(now))
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(member, at)| (MemberId::new(member), at)).collect())
}

async fn record_decisions(
    tx: &mut Tx,
    planned: &[(AddressInput, PlanningOutput)],
    notices: &[Vec<NoticeId>],
    now: Time,
) -> Result<()> {
    let mut decisions = Vec::new();
    for ((_, output), notices) in planned.iter().zip(notices) {
        decisions.extend(output.decisions.iter().map(|decision| NewDecision {
            member: &decision.member_id,
            connection: Some(&decision.connection_id),
            lapse: Some(&decision.lapse_id),
            notice: decision.notice.and_then(|place| notices.get(place)),
            subject: DecisionSubject::Notice,
            reason: decision.reason,
            not_before: decision.not_before,
        }));
    }
    decisions::record(tx, &decisions, now).await
}

fn new_notices(
    planned: &[(AddressInput, PlanningOutput)],
    notices: &[Vec<NoticeId>],
) -> Vec<(MemberId, NoticeId)> {
    let planned = planned.iter().flat_map(|(_, output)| &output.notices).zip(notices.iter().flatten());
    let new = planned.filter(|(notice, _)| notice.continues.is_none());
    new.filter_map(|(notice, id)| Some((notice.items.first()?.member_id.clone(), id.clone()))).collect()
}

async fn evaluate_next(tx: &mut Tx, decisions: &[&PlannedDecision]) -> Result<()> {
    let next: Vec<_> = decisions
        .iter()
        .map(|decision| NextRow { lapse: &decision.lapse_id, at: decision.not_before.map(millis) })
        .collect();
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
