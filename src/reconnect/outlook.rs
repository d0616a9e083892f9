//! What the page of a link can promise.

use crate::domain::{
    Button, HoldKind, LapseInput, LapseState, LinkRecord, Outlook, PlanningInput, Snooze, Time,
};
use crate::notify::plan::{Policy, next_email};
use std::collections::BTreeMap;

/// Whether the link has a lapse about which another email can come.
pub(super) fn can_have_outlook(record: &LinkRecord, now: Time) -> bool {
    let is_open = |button: &Button| button.state == LapseState::Open && !button.superseded;
    !record.is_replaced && record.expires_at > now && record.buttons.iter().any(is_open)
}

/// Sets the outlooks of the buttons whose lapses are open.
pub(super) fn set_outlooks(record: &mut LinkRecord, facts: &PlanningInput, policy: &Policy, now: Time) {
    let outlooks: BTreeMap<_, _> =
        facts.open.iter().map(|lapse| (&lapse.connection_id, outlook(lapse, facts, policy, now))).collect();
    for button in record.buttons.iter_mut().filter(|button| button.state == LapseState::Open) {
        if let Some(outlook) = outlooks.get(&button.connection.id) {
            button.outlook = *outlook;
        }
    }
}

fn outlook(lapse: &LapseInput, facts: &PlanningInput, policy: &Policy, now: Time) -> Outlook {
    let PlanningInput { member_id, recipient, .. } = facts;
    let zone = recipient.time_zone.unwrap_or(policy.time_zone);
    let next_email = next_email(facts, lapse, policy, now).map(|at| at.with_timezone(&zone).date_naive());
    let in_trouble = recipient.holds.iter().any(|hold| {
        hold.kind == HoldKind::Storm
            && hold.covers(member_id, &lapse.connection_id, lapse.status.as_ref(), false, now)
    });
    let snooze = if in_trouble || next_email.is_none() {
        Snooze::Unavailable
    } else if lapse.snoozed_until.is_some_and(|until| until > now) {
        Snooze::Active
    } else {
        Snooze::Offered
    };
    Outlook { in_trouble, next_email, snooze }
}
