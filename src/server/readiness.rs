//! Whether the daemon does its job: what `/readyz` and the metrics report.

use super::loops::WakeSignals;
use crate::base::clock::Clock;
use crate::base::config::Schedule;
use crate::base::telemetry::Activity;
use crate::server::components::App;
use crate::store::SweepProgress;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Sweeps are overdue after so many periods without any sign of life.
const PERIODS: u32 = 3;
/// And not before this, however short the period is.
const GRACE: Duration = Duration::from_secs(120);

/// Tells whether sweeps go on. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    clock: Clock,
    schedule: Arc<Schedule>,
    activity: Activity,
    /// Progress within a sweep is a sign of life.
    progress: Arc<Mutex<watch::Receiver<SweepProgress>>>,
}

impl Readiness {
    pub(super) fn new(app: &App, wakes: &WakeSignals) -> Self {
        Self {
            clock: app.clock.clone(),
            schedule: Arc::new(app.config.sweep.schedule.clone()),
            activity: wakes.activity.clone(),
            progress: Arc::new(Mutex::new(app.sweeper.progress())),
        }
    }

    /// Whether no sweep has begun, or made progress, for several periods of the schedule.
    pub(super) fn sweeps_overdue(&self) -> bool {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.has_changed().unwrap_or(false) {
            progress.mark_unchanged();
            self.activity.note();
        }
        let now = self.clock.now();
        let period = self.schedule.period(now).and_then(|period| period.to_std().ok());
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
