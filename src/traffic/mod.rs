//! Counts who opens links: bots and people.

pub mod bot_detection;
pub mod recorder;
pub mod visits;
