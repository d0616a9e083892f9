//! Wake-ups between loops. A lost one costs latency, never work.

use super::components::App;
use crate::base::telemetry::{Activity, metrics};
use crate::domain::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::sync::Notify;

#[derive(Clone, Debug, Default)]
pub(super) struct WakeSignals {
    pub(super) sweep: Arc<Notify>,
    pub(super) plan: Arc<Notify>,
    pub(super) deliver: Arc<Notify>,
    pub(super) recheck: Arc<Notify>,
    pub(super) is_sweeping: Arc<AtomicBool>,
    /// The start of the sweep under way, in milliseconds since the Unix epoch.
    pub(super) sweep_started_at: Arc<AtomicI64>,
    /// When the sweep loop last made progress.
    pub(super) sweep_activity: Activity,
}

impl WakeSignals {
    pub(super) fn new(app: &App) -> Self {
        Self { deliver: app.deliverer.wake.clone(), ..Self::default() }
    }

    /// A tick of the schedule. A tick during a sweep that began before it is skipped and counted.
    pub(super) fn tick(&self, tick: Option<Time>) {
        let started_at = self.sweep_started_at.load(Ordering::SeqCst);
        let is_covered = tick.is_some_and(|tick| tick.timestamp_millis() <= started_at);
        if self.is_sweeping.load(Ordering::SeqCst) && !is_covered {
            metrics::count_skipped_tick();
            tracing::warn!(event = "tick_skipped", "skipped a tick of the schedule: a sweep is running");
        } else {
            self.sweep.notify_one();
        }
    }
}
