//! The views, a file each: load, answer the question, show the evidence.

pub(super) mod audit;
pub(super) mod broken;
mod changes;
mod confirm;
mod days;
pub(super) mod failed;
mod gateway_calls;
pub(super) mod held;
pub(super) mod member;
mod names;
pub(super) mod reached;
mod sentences;
pub(super) mod sources;
pub(super) mod unreachable;
pub(super) mod working;
