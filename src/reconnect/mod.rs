//! Repairs connections: a member's link and its buttons, and an operator's actions for one member.

pub(crate) mod confirmation;
mod direct;
pub(crate) mod form_keys;
pub(crate) mod links;
pub mod operator_actions;
mod outlook;
pub(crate) mod press_limits;
pub(crate) mod redeem;
pub(crate) mod resume;
mod signed_time;
pub(crate) mod state;
