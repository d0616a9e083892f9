//! Actor: evaluates one member at a time and queues the planned notices.

use super::plan::{Action, LapseDecision, Plan, Policy, plan, plan_recovered};
use crate::base::clock::Clock;
use crate::domain::{MemberId, NoticeKind, PlannedNotice, PlanningInput, PlanningOutput, Time};
use crate::store::{Store, StoreError};

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

    /// Plans for the member whose lapses are due first. Returns whether there was one.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn plan_one(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let planned = self.store.plan_next(now, |input| self.evaluate(&input, now)).await?;
        if let Some((member, notices)) = &planned {
            for notice in notices {
                tracing::info!(%member, %notice, "notice queued");
            }
        }
        Ok(planned.is_some())
    }

    fn evaluate(&self, input: &PlanningInput, now: Time) -> PlanningOutput {
        let PlanningInput { member_id, recipient, open, recovered } = input;
        let reconnect = plan(open, recipient, &self.policy, now);
        let recovery = plan_recovered(recovered, recipient, &self.policy);
        let next = |decision: &LapseDecision| (decision.lapse_id.clone(), decision.action.next_evaluation());
        let next_evaluation = reconnect.decisions.iter().map(next).collect();
        let plans = [(NoticeKind::Reconnect, reconnect), (NoticeKind::Recovered, recovery)];
        let notices = plans.into_iter().filter_map(|(kind, plan)| notice(member_id, kind, &plan)).collect();
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
    Some(PlannedNotice { kind, reason: reason?, items: plan.items(), extra: plan.extra() })
}
