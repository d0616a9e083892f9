//! Plans notices about lapses and delivers them.

pub mod deliver;
pub mod plan;
pub mod planner;
