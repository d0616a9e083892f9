//! Actor: turns the plan for one member into a queued notice.

use crate::clock::Clock;
use crate::domain::{NoticeState, Time};
use crate::plan::{self, Open, Policy, Recipient, Said, Verdict};
use crate::store::{OpenLapse, PlanInput, Planned, SaidLast, Store, StoreError};

/// What planning needs.
#[derive(Clone, Debug)]
pub struct Planner {
    store: Store,
    clock: Clock,
    policy: Policy,
}

impl Planner {
    /// Plans by `policy`.
    pub fn new(store: Store, clock: Clock, policy: Policy) -> Self {
        Self { store, clock, policy }
    }

    /// Plans for the member who is due first. Gives whether there was one.
    ///
    /// # Errors
    /// The store's.
    pub async fn plan_one(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let planned = self.store.plan_next(now, |input| self.plan(input, now)).await?;
        if let Some((member, Some(notice))) = &planned {
            tracing::info!(%member, %notice, "notice queued");
        }
        Ok(planned.is_some())
    }

    fn plan(&self, input: PlanInput, now: Time) -> Planned {
        let PlanInput { member_id, paused, last_notice_at, open } = input;
        let open: Vec<Open> = open.into_iter().map(as_open).collect();
        let plan = plan::plan(&open, &Recipient { paused, last_notice_at }, &self.policy, now);
        let mut planned = Planned { items: plan.items(), reason: "planned", look_next: Vec::new() };
        for judged in &plan.verdicts {
            tracing::debug!(member = %member_id, connection = %judged.connection_id, verdict = ?judged.verdict, "planned");
            let at = match judged.verdict {
                Verdict::NotBefore { at, .. } => Some(at),
                Verdict::Now { reason, .. } => {
                    planned.reason = reason.as_str();
                    None
                }
                Verdict::Never { .. } => None,
            };
            planned.look_next.push((judged.lapse_id.clone(), at));
        }
        planned
    }
}

fn as_open(open: OpenLapse) -> Open {
    let OpenLapse { lapse, status, repair, said } = open;
    Open {
        opened_at: lapse.opened_at.unwrap_or(lapse.suspected_at),
        lapse_id: lapse.id,
        connection_id: lapse.connection_id,
        status,
        repair,
        said: said.map_or(Said::Nothing, said_last),
    }
}

fn said_last(last: SaidLast) -> Said {
    match (last.state, last.sent_at) {
        (NoticeState::Sent, Some(sent_at)) => {
            Said::Sent { step: last.step, first_sent_at: last.first_sent_at.unwrap_or(sent_at) }
        }
        (NoticeState::Abandoned, _) => Said::GaveUp,
        (NoticeState::Cancelled, _) => Said::Nothing,
        _ => Said::Pending,
    }
}
