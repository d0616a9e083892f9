//! The plan as changes of the notices that wait already.

use super::address::plan;
use super::decision::{Action, EmailState, LapseDecision, Plan, PlannedEmail};
use super::policy::Policy;
use super::recovery::plan_recovered;
use crate::domain::{
    AddressInput, LapseId, NoticeItem, NoticeKind, NoticeReason, NoticeState, PlannedDecision, PlannedNotice,
    PlanningOutput, Time, WaitingNotice,
};

/// Evaluates an address. An email continues the waiting notice with which it has most in common, so that a notice keeps its
/// id while it waits.
pub(crate) fn output(input: &AddressInput, policy: &Policy, now: Time) -> PlanningOutput {
    let AddressInput { members, waiting } = input;
    let plan = plan(members, policy, now);
    let mut notices: Vec<PlannedNotice> = Vec::new();
    for email in &plan.emails {
        let items = plan.items_of(email);
        let is_free = |notice: &&WaitingNotice| {
            notices.iter().all(|taken| taken.continues.as_ref() != Some(&notice.id))
        };
        let continued = continued(waiting.iter().filter(is_free), &items, input);
        notices.push(notice(&plan, email, items, continued, now));
    }
    let is_continued = |waiting: &&WaitingNotice| {
        notices.iter().any(|notice| notice.continues.as_ref() == Some(&waiting.id))
    };
    let withdrawn = waiting.iter().filter(|waiting| !is_continued(waiting) && is_own(waiting, input));
    let withdrawn = withdrawn.map(|waiting| (waiting.id.clone(), why_withdrawn(&plan, waiting))).collect();
    let mut decisions = decisions(&plan, 0);
    for member in members {
        let recovery = plan_recovered(member, policy, now);
        // Where recoveries are not announced, nothing is decided.
        if policy.announces_recoveries {
            decisions.extend(self::decisions(&recovery, notices.len()));
        }
        notices.extend(recovery.emails.iter().map(|email| PlannedNotice {
            kind: NoticeKind::Recovered,
            ..notice(&recovery, email, recovery.items_of(email), None, now)
        }));
    }
    PlanningOutput { notices, withdrawn, decisions }
}

/// The first of the waiting notices that have most lapses in common with the items.
fn continued<'a>(
    waiting: impl Iterator<Item = &'a WaitingNotice>,
    items: &[NoticeItem],
    input: &AddressInput,
) -> Option<&'a WaitingNotice> {
    let common =
        |notice: &WaitingNotice| items.iter().filter(|item| has_lapse(notice, &item.lapse_id)).count();
    let similar = waiting.filter(|notice| is_own(notice, input) && common(notice) > 0);
    similar.min_by_key(|notice| std::cmp::Reverse(common(notice)))
}

/// Whether all members of the notice still have the address. Otherwise it stays the others' notice.
fn is_own(notice: &WaitingNotice, input: &AddressInput) -> bool {
    notice.items.iter().all(|item| input.members.iter().any(|member| member.member_id == item.member_id))
}

fn has_lapse(notice: &WaitingNotice, lapse: &LapseId) -> bool {
    notice.items.iter().any(|item| item.lapse_id == *lapse)
}

fn notice(
    plan: &Plan,
    email: &PlannedEmail,
    items: Vec<NoticeItem>,
    continued: Option<&WaitingNotice>,
    now: Time,
) -> PlannedNotice {
    let is_tentative = email.state == EmailState::Waits;
    let not_before = match email.state {
        // A notice that is due keeps its place in the queue.
        EmailState::Due => {
            let queued = continued.filter(|notice| !notice.is_tentative && notice.not_before <= now);
            queued.map_or(now, |notice| notice.not_before)
        }
        EmailState::Waits | EmailState::Held => email.not_before,
    };
    PlannedNotice {
        kind: NoticeKind::Reconnect,
        reason: email.reason,
        state: if email.state == EmailState::Held { NoticeState::Held } else { NoticeState::Queued },
        not_before,
        is_tentative,
        extra: plan.extra_of(email),
        items,
        continues: continued.map(|notice| notice.id.clone()),
    }
}

/// The gate that rejects one of its lapses, or another email includes them.
fn why_withdrawn(plan: &Plan, notice: &WaitingNotice) -> NoticeReason {
    let rejected = plan.decisions.iter().find_map(|decision| match decision.action {
        Action::Skip { reason } if has_lapse(notice, &decision.lapse_id) => Some(reason),
        _ => None,
    });
    rejected.unwrap_or(NoticeReason::Digest)
}

/// `first`: the place of the plan's first email among the notices.
fn decisions(plan: &Plan, first: usize) -> Vec<PlannedDecision> {
    let is_about = |place| move |email: &PlannedEmail| email.decisions.binary_search(&place).is_ok();
    let decision = |(place, decision): (usize, &LapseDecision)| PlannedDecision {
        member_id: decision.member_id.clone(),
        connection_id: decision.connection_id.clone(),
        lapse_id: decision.lapse_id.clone(),
        reason: decision.action.reason(),
        notice: plan.emails.iter().position(is_about(place)).map(|email| first + email),
        not_before: decision.action.next_evaluation(),
    };
    plan.decisions.iter().enumerate().map(decision).collect()
}
