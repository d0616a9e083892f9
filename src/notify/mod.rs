//! Plans notices about lapses and delivers them, and events to the operator's own systems.

pub mod deliver;
pub mod events;
pub(crate) mod plan;
pub(crate) mod planner;
