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
use crate::store::SweepProgress;
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
    /// The counts of an open sweep that other instances have in hand, when they last changed.
    of_others: Option<SweepProgress>,
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
            of_others: None,
        }
    }

    async fn followed(&mut self) -> anyhow::Result<Followed> {
        if let Some(followed) = self.followed {
            return Ok(followed);
        }
        let last = self.app.store.last_sweep().await?;
        Ok(*self.followed.insert(Followed(last.map(|sweep| sweep.finished_at.unwrap_or(sweep.started_at)))))
    }

    /// Starts the sweep of the last tick, if it is due.
    async fn start(&mut self) -> anyhow::Result<Progress> {
        let followed = self.followed().await?;
        let (app, now) = (&self.app, self.app.clock.now());
        let schedule = &app.config.sweep.schedule;
        if !followed.is_due(schedule, now) {
            return Ok(Progress::Idle);
        }
        if app.sweeper.is_throttled() {
            metrics::count_skipped_tick();
            tracing::warn!(
                event = "tick_skipped",
                "skipped a tick of the schedule: the gateway asked all clients to wait"
            );
        } else {
            let tick = schedule.last_due(now).filter(|_| !followed.is_ahead(now));
            if !app.sweeper.start(tick).await? {
                tracing::debug!(event = "tick_covered", "another instance has started this sweep");
                app.sweeper.publish_last_sweeps().await?;
            }
        }
        self.wakes.sweep_activity.note();
        self.followed = Some(Followed(Some(now)));
        Ok(Progress::Worked)
    }

    /// Polls pages of the open sweep, as far as other instances do not.
    async fn take_part(&mut self, started_at: Time) -> anyhow::Result<Progress> {
        let Self { app, wakes, .. } = self;
        wakes.sweep_started_at.store(started_at.timestamp_millis(), Ordering::SeqCst);
        wakes.is_sweeping.store(true, Ordering::SeqCst);
        wakes.sweep_activity.note();
        let swept = app.sweeper.take_part(&self.shutdown).await;
        wakes.is_sweeping.store(false, Ordering::SeqCst);
        wakes.sweep_activity.note();
        wakes.plan.notify_one();
        let ended_at = match &swept {
            // What follows the end of the sweep can last until the next tick.
            Ok(Some(report)) => report.ended_at,
            Ok(None) | Err(_) => app.clock.now(),
        };
        self.followed = Some(Followed(Some(ended_at)));
        // A failed part continues with the next step.
        let Some(report) = swept? else { return Ok(Progress::Worked) };
        if report.is_healthy() {
            telemetry::send_heartbeat(&app.config.telemetry, Beat::Healthy).await;
        } else if report.ended_early_because.is_some() {
            telemetry::send_heartbeat(&app.config.telemetry, Beat::StoppedEarly).await;
        }
        Ok(Progress::Worked)
    }

    /// Progress of others counts as activity.
    fn watch_others(&mut self, progress: Option<SweepProgress>) {
        if self.of_others != progress {
            self.of_others = progress;
            self.wakes.sweep_activity.note();
        }
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
        if !self.file.is_in_place() {
            return Ok(Progress::Idle);
        }
        let Some(open) = self.app.store.open_sweep().await? else {
            if self.of_others.is_some() {
                self.app.sweeper.publish_last_sweeps().await?;
                self.followed = Some(Followed(Some(self.app.clock.now())));
            }
            self.watch_others(None);
            return self.start().await;
        };
        if self.app.store.has_work_in(&open.id).await? {
            return self.take_part(open.started_at).await;
        }
        self.watch_others(Some(open.progress));
        Ok(Progress::Idle)
    }
}

/// The schedule has been followed until this time: its earlier ticks were swept or skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Followed(Option<Time>);

impl Followed {
    /// Whether the clock was ahead when it was followed.
    fn is_ahead(self, now: Time) -> bool {
        self.0.is_some_and(|until| until > now + MAX_CLOCK_ERROR)
    }

    /// A sweep is also due if there was none, or if the last one lies in the future.
    fn is_due(self, schedule: &Schedule, now: Time) -> bool {
        match self.0 {
            Some(until) if !self.is_ahead(now) => schedule.last_due(now).is_some_and(|due| due > until),
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
