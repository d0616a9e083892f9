//! Plans the next notices to one address: members with their lapses + policy + now → plan. Pure.
//!
//! Each lapse passes the gates (`gates.rs`), which defer its notice or reject it. Notices that are due together become one
//! email (`emails.rs`). `output.rs` compares the emails with the notices that wait already.
//!
//! A decision holds until a fact changes (a response, a delivery, an operator's command) or until the time of a deferral.

mod address;
mod decision;
mod emails;
mod forecast;
mod gates;
mod output;
mod policy;
mod recovery;

pub(crate) use address::plan;
pub(crate) use decision::{Action, EmailState, Plan};
pub(crate) use forecast::{Forecast, forecast, next_email};
pub(crate) use gates::{after_quiet_hours, held_by};
pub(crate) use output::output;
pub(crate) use policy::{Policy, StatusPolicy};
pub(crate) use recovery::plan_recovered;

#[cfg(test)]
mod output_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(super) mod tests;
