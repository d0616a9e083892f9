//! Sweeps when the schedule says so.
//!
//! The scheduler only wakes this loop. Whether a sweep is due depends on the current time and the last sweep, because
//! the scheduler remembers one instant, and after a wrong clock that instant can be a year away.

use crate::base::config::Schedule;
use crate::base::telemetry::{self, Beat, metrics};
use crate::domain::Time;
use crate::server::components::App;
use crate::server::database_file::DatabaseFile;
use crate::server::runner::{Loop, Progress};
use crate::server::wake_signals::WakeSignals;
use chrono::TimeDelta;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A sweep that ended later than this after the current time ended under a wrong clock.
const MAX_CLOCK_ERROR: TimeDelta = TimeDelta::minutes(1);

pub(super) struct SweepLoop {
    app: App,
    wakes: WakeSignals,
    file: DatabaseFile,
    shutdown: CancellationToken,
    /// `None` until the last sweep has been read.
    followed: Option<Followed>,
    /// Whether a sweep was interrupted, so that the next one is due now.
    is_unfinished: bool,
}

impl SweepLoop {
    pub(super) fn new(
        app: &App,
        wakes: &WakeSignals,
        file: DatabaseFile,
        shutdown: &CancellationToken,
    ) -> Self {
        Self {
            app: app.clone(),
            wakes: wakes.clone(),
            file,
            shutdown: shutdown.clone(),
            followed: None,
            is_unfinished: false,
        }
    }

    async fn followed(&mut self) -> anyhow::Result<Followed> {
        if let Some(followed) = self.followed {
            return Ok(followed);
        }
        let last = self.app.store.last_sweep().await?;
        self.is_unfinished = self.app.store.unfinished_sweep().await?.is_some();
        Ok(*self.followed.insert(Followed(last.map(|sweep| sweep.finished_at.unwrap_or(sweep.started_at)))))
    }
}

impl Loop for SweepLoop {
    const NAME: &'static str = "sweep";
    /// A large fleet takes hours. The progress within the sweep shows whether it is stalled.
    const MAX_STEP: Option<Duration> = None;

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.wakes.sweep.clone())
    }

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let followed = self.followed().await?;
        let Self { app, wakes, .. } = self;
        if !self.is_unfinished {
            if !followed.is_due(&app.config.sweep.schedule, app.clock.now()) {
                return Ok(Progress::Idle);
            }
            if app.sweeper.is_throttled() {
                metrics::count_skipped_tick();
                tracing::warn!(
                    event = "tick_skipped",
                    "skipped a tick of the schedule: the gateway asked all clients to wait"
                );
                wakes.sweep_activity.note();
                self.followed = Some(Followed(Some(app.clock.now())));
                return Ok(Progress::Worked);
            }
        }
        if !self.file.is_in_place() {
            return Ok(Progress::Idle);
        }
        wakes.is_sweeping.store(true, Ordering::SeqCst);
        wakes.sweep_activity.note();
        let swept = app.sweeper.sweep(&self.shutdown).await;
        wakes.is_sweeping.store(false, Ordering::SeqCst);
        wakes.sweep_activity.note();
        wakes.plan.notify_one();
        self.followed = Some(Followed(Some(app.clock.now())));
        // A failed sweep continues with the next step.
        self.is_unfinished = swept.is_err();
        let report = swept?;
        if report.is_healthy() {
            telemetry::send_heartbeat(&app.config.telemetry, Beat::Healthy).await;
        } else if report.ended_early_because.is_some() {
            telemetry::send_heartbeat(&app.config.telemetry, Beat::StoppedEarly).await;
        }
        Ok(Progress::Worked)
    }
}

/// The schedule has been followed until this time: its earlier ticks were swept or skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Followed(Option<Time>);

impl Followed {
    /// A sweep is also due if there was none, or if the last one lies in the future.
    fn is_due(self, schedule: &Schedule, now: Time) -> bool {
        match self.0 {
            Some(until) if until <= now + MAX_CLOCK_ERROR => {
                schedule.last_due(now).is_some_and(|due| due > until)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_due_once_for_each_tick_and_immediately_without_an_earlier_one() {
        let schedule = "0 0 2 * * *".parse::<Schedule>().unwrap();
        let cases = [
            ("no earlier sweep", None, "2026-03-02T09:00:00Z", true),
            ("swept at the tick", Some("2026-03-02T02:00:00Z"), "2026-03-02T09:00:00Z", false),
            (
                "the sweep started at the tick and ended later",
                Some("2026-03-02T03:00:00Z"),
                "2026-03-02T09:00:00Z",
                false,
            ),
            ("at the next tick", Some("2026-03-02T03:00:00Z"), "2026-03-03T02:00:00Z", true),
            ("a second before the next tick", Some("2026-03-02T03:00:00Z"), "2026-03-03T01:59:59Z", false),
            ("a tick was missed", Some("2026-03-01T02:10:00Z"), "2026-03-02T02:00:01Z", true),
            (
                "a sweep that runs across a tick covers it",
                Some("2026-03-03T02:10:00Z"),
                "2026-03-03T02:10:01Z",
                false,
            ),
            ("the clock was a year ahead", Some("2027-03-02T02:00:00Z"), "2026-03-02T09:00:00Z", true),
            ("the clock was set back by a day", Some("2026-03-02T09:00:00Z"), "2026-03-01T09:00:00Z", true),
            (
                "the clock was set back by a second",
                Some("2026-03-02T09:00:00Z"),
                "2026-03-02T08:59:59Z",
                false,
            ),
        ];
        for (sentence, followed, now, expected) in cases {
            let followed = Followed(followed.map(|time| time.parse().unwrap()));
            assert_eq!(followed.is_due(&schedule, now.parse().unwrap()), expected, "{sentence}");
        }
    }
}
