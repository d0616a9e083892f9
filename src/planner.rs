//! Actor: turns the plan for one member into a queued notice.

use crate::clock::Clock;
use crate::domain::NoticeState;
use crate::plan::{self, Open, Policy, Recipient, Said, Verdict};
use crate::store::{OpenLapse, PlanInput, SaidLast, Store, StoreError};

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
        let Some(input) = self.store.next_to_plan(now).await? else { return Ok(false) };
        let PlanInput { member_id, paused, last_notice_at, open } = input;
        let open: Vec<Open> = open.into_iter().map(as_open).collect();
        let plan = plan::plan(&open, &Recipient { paused, last_notice_at }, &self.policy, now);
        let items = plan.items();
        let mut reason = "planned";
        let mut look_next = Vec::new();
        for judged in &plan.verdicts {
            tracing::debug!(member = %member_id, connection = %judged.connection_id, verdict = ?judged.verdict, "planned");
            let at = match judged.verdict {
                Verdict::NotBefore { at, .. } => Some(at),
                Verdict::Now { reason: why, .. } => {
                    reason = why.as_str();
                    None
                }
                Verdict::Never { .. } => None,
            };
            look_next.push((judged.lapse_id.clone(), at));
        }
        let notice = self.store.planned(&member_id, &items, reason, &look_next, now).await?;
        if let Some(notice) = notice {
            tracing::info!(member = %member_id, %notice, lapses = items.len(), "notice queued");
        }
        Ok(true)
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
        _ => Said::Pending,
    }
}
