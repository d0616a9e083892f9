//! Repairs connections: a member's link and its button, and an operator's actions for one member.

pub mod operator_actions;
pub(crate) mod redeem;
