//! The process: composition, loops, listeners, schedule, reload, and shutdown.

mod build;
pub(crate) mod channel;
pub mod components;
mod config_watch;
mod current;
mod daemon;
mod database_file;
mod generation;
mod instance;
mod key_ring_watch;
mod keys;
mod listeners;
mod log_watch;
mod loops;
pub(crate) mod policies;
mod purger;
mod readiness;
mod recorded_policy;
mod reload;
pub mod replay;
mod runner;
mod succession;
mod wake_signals;

pub use daemon::Daemon;
pub use listeners::{admin_router, public_state};
pub use reload::Reloads;
