//! Detects lapses: polls members on a schedule and decides what each response means.

pub mod brake;
pub mod decide;
pub mod digest;
pub mod poll;
pub(crate) mod recheck;
mod responses;
pub mod sweep;
