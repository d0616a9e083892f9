//! The loop that sweeps when the schedule says so.
//!
//! The scheduler only wakes it. Whether a sweep is due follows from the present time and the last sweep: the scheduler
//! remembers one instant, and after a clock that was wrong that instant may be a year away.

use super::loops::{ERROR_BACKOFF, WakeSignals};
use crate::base::config::Schedule;
use crate::base::telemetry::{self, metrics};
use crate::domain::Time;
use crate::server::components::App;
use chrono::TimeDelta;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the loop asks whether a sweep is due, whatever the scheduler does.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A sweep that ended later than this after the present time ended by a clock that was wrong.
const FUTURE: TimeDelta = TimeDelta::minutes(1);

/// Until when the schedule has been followed: ticks up to then were swept, or skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Followed(Option<Time>);

impl Followed {
    /// Whether a sweep is due. A daemon that has never swept is due at once, and so is one whose last sweep lies in the
    /// future.
    fn is_due(self, schedule: &Schedule, now: Time) -> bool {
        match self.0 {
            Some(until) if until <= now + FUTURE => schedule.last_due(now).is_some_and(|due| due > until),
            _ => true,
        }
    }
}

/// A tick of the schedule. One that comes while a sweep runs is skipped and counted.
pub(super) fn tick(wakes: &WakeSignals) {
    if wakes.sweeping.load(Ordering::SeqCst) {
        metrics::count_skipped_tick();
        tracing::warn!("a sweep is still running: this tick is skipped");
    } else {
        wakes.tick.notify_one();
    }
}

pub(super) async fn sweep_loop(
    app: &App,
    wakes: &WakeSignals,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let schedule = &app.config.sweep.schedule;
    let last = app.store.last_sweep().await?;
    let mut followed = Followed(last.map(|sweep| sweep.finished_at.unwrap_or(sweep.started_at)));
    let mut unfinished = app.store.unfinished_sweep().await?.is_some();
    while !stop.is_cancelled() {
        if !unfinished {
            if !followed.is_due(schedule, app.clock.now()) {
                tokio::select! {
                    () = wakes.tick.notified() => {}
                    () = tokio::time::sleep(ASK_EVERY) => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
            if app.sweeper.is_throttled() {
                metrics::count_skipped_tick();
                tracing::warn!("the gateway has asked everyone to wait: this tick is skipped");
                wakes.activity.note();
                followed = Followed(Some(app.clock.now()));
                continue;
            }
        }
        wakes.sweeping.store(true, Ordering::SeqCst);
        wakes.activity.note();
        let swept = app.sweeper.sweep(stop).await;
        wakes.sweeping.store(false, Ordering::SeqCst);
        wakes.activity.note();
        wakes.plan.notify_one();
        followed = Followed(Some(app.clock.now()));
        unfinished = match swept {
            Ok(report) => {
                if report.is_healthy() {
                    telemetry::send_heartbeat(&app.config.telemetry).await;
                }
                false
            }
            Err(error) => {
                tracing::error!(%error, "a sweep failed; it will be resumed");
                tokio::select! { () = tokio::time::sleep(ERROR_BACKOFF) => {}, () = stop.cancelled() => {} }
                true
            }
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_due_once_for_each_tick_and_at_once_where_none_ever_was() {
        let schedule = "0 0 2 * * *".parse::<Schedule>().unwrap();
        let cases = [
            ("never swept", None, "2026-03-02T09:00:00Z", true),
            ("swept at the tick", Some("2026-03-02T02:00:00Z"), "2026-03-02T09:00:00Z", false),
            (
                "the sweep began at the tick and ended later",
                Some("2026-03-02T03:00:00Z"),
                "2026-03-02T09:00:00Z",
                false,
            ),
            ("at the next tick", Some("2026-03-02T03:00:00Z"), "2026-03-03T02:00:00Z", true),
            ("a second before it", Some("2026-03-02T03:00:00Z"), "2026-03-03T01:59:59Z", false),
            ("a tick was missed", Some("2026-03-01T02:10:00Z"), "2026-03-02T02:00:01Z", true),
            (
                "a sweep across a tick has followed it",
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
