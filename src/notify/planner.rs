//! Actor: turns the plan for one member into queued notices.

use crate::base::clock::Clock;
use crate::domain::{MemberId, NoticeKind, NoticeState, Time};
use crate::notify::plan::{self, Open, Plan, Policy, Recipient, Recovered, Said, Verdict};
use crate::store::{
    OpenLapse, PlanInput, Planned, PlannedNotice, RecoveredLapse, SaidLast, Store, StoreError,
};

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
        if let Some((member, notices)) = &planned {
            for notice in notices {
                tracing::info!(%member, %notice, "notice queued");
            }
        }
        Ok(planned.is_some())
    }

    fn plan(&self, input: PlanInput, now: Time) -> Planned {
        let PlanInput { member_id, paused, suppressed, last_notice_at, open, recovered } = input;
        let recipient = Recipient { paused, suppressed, last_notice_at };
        let open: Vec<Open> = open.into_iter().map(as_open).collect();
        let recovered: Vec<Recovered> = recovered.into_iter().map(as_recovered).collect();
        let plan = plan::plan(&open, &recipient, &self.policy, now);
        let look_next = plan.verdicts.iter().map(|judged| {
            let at = match judged.verdict {
                Verdict::NotBefore { at, .. } => Some(at),
                Verdict::Now { .. } | Verdict::Never { .. } => None,
            };
            (judged.lapse_id.clone(), at)
        });
        let look_next = look_next.collect();
        let recovery = plan::plan_recovered(&recovered, &recipient, &self.policy);
        let kinds = [(NoticeKind::Reconnect, plan), (NoticeKind::Recovered, recovery)];
        let notices = kinds.into_iter().filter_map(|(kind, plan)| notice(&member_id, kind, &plan)).collect();
        Planned { notices, look_next }
    }
}

/// The notice that a plan comes to, if any.
fn notice(member: &MemberId, kind: NoticeKind, plan: &Plan) -> Option<PlannedNotice> {
    let mut reason = None;
    for judged in &plan.verdicts {
        tracing::debug!(%member, connection = %judged.connection_id, verdict = ?judged.verdict, "planned");
        if let Verdict::Now { reason: now, .. } = judged.verdict {
            reason = Some(now);
        }
    }
    Some(PlannedNotice { kind, reason: reason?.as_str(), items: plan.items(), extra: plan.extra() })
}

fn as_recovered(recovered: RecoveredLapse) -> Recovered {
    let RecoveredLapse { lapse_id, connection, noticed_at, told_at } = recovered;
    let is_missing = connection.is_missing;
    let connection = connection.connection;
    Recovered {
        lapse_id,
        person_mismatch: connection.is_person_mismatch(),
        connection_id: connection.id,
        status: connection.status.filter(|_| !is_missing),
        noticed_at,
        told_at,
    }
}

fn as_open(open: OpenLapse) -> Open {
    let OpenLapse { lapse, status, repair, is_missing, said } = open;
    Open {
        opened_at: lapse.opened_at.unwrap_or(lapse.suspected_at),
        broken_since: lapse.suspected_at,
        is_missing,
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
            let first_sent_at = last.first_sent_at.unwrap_or(sent_at);
            Said::Sent { step: last.step, last_sent_at: sent_at, first_sent_at, extra: last.extra }
        }
        (NoticeState::Abandoned, _) => Said::GaveUp,
        (NoticeState::Cancelled, _) => Said::Nothing,
        _ => Said::Pending,
    }
}
