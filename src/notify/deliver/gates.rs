//! The gates, evaluated again just before the email is handed over.

use super::deliverer::Deliverer;
use crate::domain::{GateVerdict, LapseId, NoticeKind, NoticeReason, Passing, PlanningInput, Time};
use crate::notify::plan::{Action, after_quiet_hours, held_by, plan};
use crate::store::Claim;

impl Deliverer {
    /// Evaluates the facts about those who get the email, as they are now. What a member or an operator requested passes: its
    /// other conditions are verified elsewhere.
    pub(super) fn evaluate_gates(&self, claim: &Claim, members: &[PlanningInput], now: Time) -> GateVerdict {
        let items: Vec<LapseId> = claim.notice.items.iter().map(|item| item.lapse_id.clone()).collect();
        let mut holds = members.iter().flat_map(|member| &member.recipient.holds);
        if claim.notice.kind != NoticeKind::Reconnect && holds.any(|hold| hold.covers_all_email(now)) {
            return GateVerdict::Hold(NoticeReason::HeldByOperator);
        }
        match claim.notice.kind {
            NoticeKind::Reconnect if claim.is_resend => evaluate_holds(&items, members, now),
            NoticeKind::Reconnect => self.evaluate_lapses(&items, members, now),
            NoticeKind::Recovered => {
                let first = members.first();
                let until =
                    first.map_or(now, |first| after_quiet_hours(&first.recipient, &self.policy, now, now));
                if until > now {
                    GateVerdict::Defer { until, reason: NoticeReason::QuietHours }
                } else {
                    GateVerdict::pass(items)
                }
            }
            NoticeKind::Invited => GateVerdict::pass(items),
        }
    }

    /// The notice covers the lapses that pass. If none does, the one that is due first decides.
    fn evaluate_lapses(&self, items: &[LapseId], members: &[PlanningInput], now: Time) -> GateVerdict {
        let plan = plan(members, &self.policy, now);
        let decisions = || plan.decisions.iter().filter(|decision| items.contains(&decision.lapse_id));
        let mut passing = Passing::default();
        for decision in decisions().filter(|decision| matches!(decision.action, Action::Send { .. })) {
            passing.lapses.push(decision.lapse_id.clone());
            passing.extra.extend(decision.is_extra.then(|| decision.lapse_id.clone()));
        }
        let deferred = decisions().filter_map(|decision| match decision.action {
            Action::Defer { until, reason, .. } => Some((until, reason)),
            _ => None,
        });
        let hold = decisions().find_map(|decision| match decision.action {
            Action::Hold { reason, .. } => Some(reason),
            _ => None,
        });
        let rejected = decisions().find_map(|decision| match decision.action {
            Action::Skip { reason } => Some(reason),
            _ => None,
        });
        if !passing.lapses.is_empty() {
            return GateVerdict::Pass(passing);
        }
        if let Some(reason) = hold {
            return GateVerdict::Hold(reason);
        }
        match (deferred.min_by_key(|(until, _)| *until), rejected) {
            (Some((until, reason)), _) => GateVerdict::Defer { until, reason },
            (None, Some(reason)) => GateVerdict::Reject(reason),
            // No lapse of the notice is open.
            (None, None) => GateVerdict::pass(Vec::new()),
        }
    }
}

/// A resend covers what no hold covers.
fn evaluate_holds(items: &[LapseId], members: &[PlanningInput], now: Time) -> GateVerdict {
    let (mut passing, mut hold) = (Vec::new(), None);
    for member in members {
        for lapse in member.open.iter().filter(|lapse| items.contains(&lapse.lapse_id)) {
            match held_by(&member.member_id, lapse, &member.recipient, false, now) {
                None => passing.push(lapse.lapse_id.clone()),
                Some(reason) => hold = hold.or(Some(reason)),
            }
        }
    }
    match hold {
        Some(reason) if passing.is_empty() => GateVerdict::Hold(reason),
        _ => GateVerdict::pass(passing),
    }
}
