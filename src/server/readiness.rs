//! Whether sweeps are overdue, for `/readyz` and the metrics.

use super::current::Current;
use super::wake_signals::WakeSignals;
use crate::base::telemetry::Activity;
use crate::store::SweepProgress;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Sweeps are overdue after this many periods of the schedule without activity.
const PERIODS: u32 = 3;
/// The minimum, for a schedule with a short period.
const GRACE: Duration = Duration::from_secs(120);

/// Each poll ends within a few minutes, unless `gateway.timeout` is very long.
const MAX_IDLE_SWEEP: Duration = Duration::from_secs(60 * 60);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Readiness {
    current: Current,
    activity: Activity,
    is_sweeping: Arc<AtomicBool>,
    /// Progress within a sweep counts as activity.
    progress: Arc<Mutex<watch::Receiver<SweepProgress>>>,
}

impl Readiness {
    pub(super) fn new(current: &Current, wakes: &WakeSignals) -> Self {
        Self {
            current: current.clone(),
            activity: wakes.sweep_activity.clone(),
            is_sweeping: wakes.is_sweeping.clone(),
            progress: Arc::new(Mutex::new(current.app().sweeper.progress())),
        }
    }

    pub(super) fn is_sweeping(&self) -> bool {
        self.is_sweeping.load(Ordering::SeqCst)
    }

    /// Whether a sweep runs without progress.
    pub(super) fn is_sweep_stalled(&self) -> bool {
        self.note_progress();
        self.is_sweeping() && self.activity.idle() > MAX_IDLE_SWEEP
    }

    fn note_progress(&self) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.has_changed().unwrap_or(false) {
            progress.mark_unchanged();
            self.activity.note();
        }
    }

    /// Whether no sweep has started or made progress for several periods of the schedule.
    pub(super) fn sweeps_overdue(&self) -> bool {
        self.note_progress();
        let app = self.current.app();
        let period =
            app.config.sweep.schedule.period(app.clock.now()).and_then(|period| period.to_std().ok());
        is_overdue(self.activity.idle(), period.unwrap_or_default())
    }
}

fn is_overdue(idle: Duration, period: Duration) -> bool {
    idle > GRACE.max(period.saturating_mul(PERIODS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_are_overdue_after_three_periods_and_at_least_two_minutes() {
        let seconds = Duration::from_secs;
        let quarter = 15 * 60;
        for (idle, period, expected) in [
            (119, 1, false),
            (121, 1, true),
            (3 * quarter, quarter, false),
            (3 * quarter + 1, quarter, true),
            (2 * 86_400, 86_400, false),
        ] {
            assert_eq!(is_overdue(seconds(idle), seconds(period)), expected, "{idle} s of {period} s");
        }
    }
}
