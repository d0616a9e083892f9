//! Plans the next notice for one member: lapses + policy + recipient + now → [`Plan`]. Pure.
//!
//! Each lapse passes the gates (`gates.rs`), which defer its notice or reject it. Once one lapse is due, the notice
//! includes all that are due within `digest_window`.
//!
//! A decision holds until a fact changes (a response, a delivery, an operator's command) or until the time of a deferral.

mod decision;
mod gates;
mod policy;
mod recovery;

use crate::domain::{LapseInput, MemberId, Recipient, Time};
pub(crate) use decision::{Action, LapseDecision, Plan};
pub(crate) use gates::{after_quiet_hours, held_by};
pub(crate) use policy::{Policy, StatusPolicy};
pub(crate) use recovery::plan_recovered;

/// Plans the next notice for one member. `open` must contain all open lapses of the member.
pub(crate) fn plan(
    member: &MemberId,
    open: &[LapseInput],
    recipient: &Recipient,
    policy: &Policy,
    now: Time,
) -> Plan {
    let decide = |lapse: &LapseInput| LapseDecision {
        lapse_id: lapse.lapse_id.clone(),
        connection_id: lapse.connection_id.clone(),
        action: gates::evaluate(member, lapse, recipient, policy, now),
    };
    let mut plan = Plan { decisions: open.iter().map(decide).collect() };
    if plan.step().is_some() {
        plan.batch_due_before(now.checked_add_signed(policy.digest_window).unwrap_or(Time::MAX_UTC));
    }
    plan
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
