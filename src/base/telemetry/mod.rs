//! Log lines on standard error, metrics, traces, the heartbeat, and the service manager.

mod activity;
#[cfg(any(test, feature = "sim"))]
mod capture;
mod config_reloads;
mod heartbeat;
mod log_line;
mod logs;
mod loop_states;
pub(crate) mod metrics;
mod repeats;
mod service_manager;
mod suppressed;
pub(crate) mod traces;

pub(crate) use activity::Activity;
#[cfg(any(test, feature = "sim"))]
pub use capture::LogCapture;
pub use config_reloads::ConfigReloads;
pub(crate) use config_reloads::LastReload;
pub(crate) use heartbeat::{Beat, send_heartbeat};
pub use logs::{Destination, subscriber};
pub(crate) use logs::{LogSettings, init};
pub(crate) use loop_states::{LoopState, LoopStates, StepResult};
pub use metrics::MetricsPage;
pub(crate) use repeats::Repeats;
pub(crate) use service_manager::{
    has_service_manager, notify_ready, notify_reloading, notify_status, notify_stopping, notify_watchdog,
    watchdog_timeout,
};
pub(crate) use suppressed::report_suppressed;
