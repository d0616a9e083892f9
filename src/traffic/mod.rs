//! Counts who opens links: bots and people.

pub(crate) mod bot_detection;
pub(crate) mod recorder;
pub mod visits;
