//! Plans notices about lapses and delivers them.

pub mod deliver;
pub(crate) mod plan;
pub(crate) mod planner;
