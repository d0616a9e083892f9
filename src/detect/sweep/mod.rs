//! Actor: polls the fleet, on schedule.
//!
//! Members are polled in the order of a hash of their id, so that any stretch of a sweep is a sample of the whole fleet.
//! A sweep that stops early keeps its position: the next one continues there and wraps around. Nothing is written for a
//! member whose response has not changed. What may be the gateway's fault is not held against a member before the
//! responses of others show whose fault it is (see [`health`]).

mod codes;
mod due_poller;
mod health;
mod order;
mod outcome;
mod pending;
mod polled;
mod report;
mod run;
mod services;
mod sweeper;
mod workers;

pub use report::{Limits, SweepReport};
pub use sweeper::Sweeper;
pub(crate) use sweeper::UNREACHABLE_AFTER;
