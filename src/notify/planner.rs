//! Actor: evaluates a page of members at a time and queues the planned notices.

use super::plan::{Action, LapseDecision, Plan, Policy, plan, plan_recovered};
use crate::base::clock::Clock;
use crate::domain::{MemberId, NoticeKind, PlannedNotice, PlanningInput, PlanningOutput, Time};
use crate::store::{Store, StoreError};
use chrono::TimeDelta;

/// Members per page. Other writes wait while a page is planned.
const PAGE_SIZE: u32 = 128;
/// How long a member waits whose rows cannot be read.
const UNREADABLE_WAIT: TimeDelta = TimeDelta::hours(1);

#[derive(Clone, Debug)]
pub struct Planner {
    store: Store,
    clock: Clock,
    policy: Policy,
}

impl Planner {
    pub fn new(store: Store, clock: Clock, policy: Policy) -> Self {
        Self { store, clock, policy }
    }

    /// Plans for the members whose lapses are due first. Returns whether there were any.
    ///
    /// # Errors
    /// Only errors of the store. A row that cannot be read stops only its own member.
    pub async fn plan_page(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let released = self.store.end_due_holds(now).await?;
        if released > 0 {
            tracing::info!(
                event = "hold_ended",
                notices = released,
                "a hold is over; what it held is queued again"
            );
        }
        let dripped = self.store.drip(self.policy.drip_per_minute, now).await?;
        if dripped > 0 {
            tracing::info!(event = "storm_drip", notices = dripped, "queued a portion of what a storm held");
        }
        let members = self.store.members_to_plan(now, PAGE_SIZE).await?;
        if members.is_empty() {
            return Ok(false);
        }
        match self.plan(&members, now).await {
            Err(error) if error.is_about_a_row() => {
                for member in &members {
                    self.plan_alone(member, now).await?;
                }
            }
            planned => planned?,
        }
        Ok(true)
    }

    async fn plan_alone(&self, member: &MemberId, now: Time) -> Result<(), StoreError> {
        match self.plan(std::slice::from_ref(member), now).await {
            Err(error) if error.is_about_a_row() => {
                tracing::error!(event = "member_not_planned", %member, %error, "cannot plan for a member");
                self.store.postpone_planning(member, now, now + UNREADABLE_WAIT).await
            }
            planned => planned,
        }
    }

    async fn plan(&self, members: &[MemberId], now: Time) -> Result<(), StoreError> {
        for (member, notice) in
            self.store.plan_members(members, now, |input| self.evaluate(input, now)).await?
        {
            tracing::info!(%member, %notice, "notice queued");
        }
        Ok(())
    }

    fn evaluate(&self, input: &PlanningInput, now: Time) -> PlanningOutput {
        let PlanningInput { member_id, recipient, open, recovered } = input;
        let reconnect = plan(member_id, open, recipient, &self.policy, now);
        let recovery = plan_recovered(recovered, recipient, &self.policy);
        let next = |decision: &LapseDecision| (decision.lapse_id.clone(), decision.action.next_evaluation());
        let next_evaluation = reconnect.decisions.iter().map(next).collect();
        let plans = [(NoticeKind::Reconnect, &reconnect), (NoticeKind::Recovered, &recovery)];
        let due = plans.into_iter().filter_map(|(kind, plan)| notice(member_id, kind, plan));
        let notices = due.chain(held_notice(&reconnect)).collect();
        PlanningOutput { notices, next_evaluation }
    }
}

fn notice(member: &MemberId, kind: NoticeKind, plan: &Plan) -> Option<PlannedNotice> {
    let mut reason = None;
    for decision in &plan.decisions {
        tracing::debug!(%member, connection = %decision.connection_id, action = ?decision.action, "evaluated");
        if let Action::Send { reason: latest, .. } = decision.action {
            reason = Some(latest);
        }
    }
    let (items, extra) = (plan.items(), plan.extra());
    Some(PlannedNotice { kind, reason: reason?, is_held: false, items, extra })
}

/// What the holds cover waits in a notice of its own.
fn held_notice(plan: &Plan) -> Option<PlannedNotice> {
    let reason = plan.decisions.iter().find_map(|decision| match decision.action {
        Action::Hold { reason, .. } => Some(reason),
        _ => None,
    })?;
    let (items, extra) = (plan.held_items(), plan.held_extra());
    Some(PlannedNotice { kind: NoticeKind::Reconnect, reason, is_held: true, items, extra })
}
