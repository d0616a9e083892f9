//! Wake-ups between loops. A lost one costs latency, never work.

use super::components::App;
use crate::base::telemetry::{Activity, metrics};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

#[derive(Clone, Debug, Default)]
pub(super) struct WakeSignals {
    pub(super) sweep: Arc<Notify>,
    pub(super) plan: Arc<Notify>,
    pub(super) deliver: Arc<Notify>,
    pub(super) recheck: Arc<Notify>,
    pub(super) is_sweeping: Arc<AtomicBool>,
    /// When the sweep loop last made progress.
    pub(super) sweep_activity: Activity,
}

impl WakeSignals {
    pub(super) fn new(app: &App) -> Self {
        Self { deliver: app.deliverer.wake.clone(), ..Self::default() }
    }

    /// A tick of the schedule. A tick during a sweep is skipped and counted.
    pub(super) fn tick(&self) {
        if self.is_sweeping.load(Ordering::SeqCst) {
            metrics::count_skipped_tick();
            tracing::warn!(event = "tick_skipped", "skipped a tick of the schedule: a sweep is running");
        } else {
            self.sweep.notify_one();
        }
    }
}
