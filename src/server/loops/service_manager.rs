//! Tells the service manager that the daemon works, and what it does.

use crate::base::telemetry;
use crate::domain::Time;
use crate::server::current::Current;
use crate::server::readiness::Readiness;
use crate::server::runner::{Loop, Progress};
use crate::store::{SweepProgress, SweepRecord};
use chrono::SecondsFormat;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct ServiceManagerLoop {
    current: Current,
    readiness: Readiness,
    loops: telemetry::LoopStates,
    has_watchdog: bool,
    /// Short enough to feed the watchdog several times within its timeout.
    interval: Duration,
    /// The loops that were stalled at the last step.
    stalled: Vec<&'static str>,
    status: String,
}

impl ServiceManagerLoop {
    pub(super) fn new(current: &Current, readiness: Readiness, loops: telemetry::LoopStates) -> Self {
        let watchdog = telemetry::watchdog_timeout();
        Self {
            current: current.clone(),
            readiness,
            loops,
            has_watchdog: watchdog.is_some(),
            interval: watchdog.map_or(INTERVAL, |timeout| INTERVAL.min(timeout / 3)),
            stalled: Vec::new(),
            status: String::new(),
        }
    }

    fn feed_watchdog(&mut self) {
        let mut stalled = self.loops.stalled(Instant::now());
        stalled.extend(self.readiness.is_sweep_stalled().then_some("sweep"));
        if stalled.is_empty() {
            telemetry::notify_watchdog();
        } else if stalled != self.stalled {
            tracing::error!(
                event = "loops_stalled", loops = ?stalled,
                "loops make no progress; the watchdog is not fed"
            );
        }
        self.stalled = stalled;
    }

    async fn status(&self) -> anyhow::Result<String> {
        let app = self.current.app();
        if self.readiness.is_sweeping() {
            let SweepProgress { members, unclear, .. } = *app.sweeper.progress().borrow();
            return Ok(format!("sweeping: {members} members polled, {unclear} unclear"));
        }
        let next = app.config.sweep.schedule.next_due(app.clock.now());
        Ok(idle_status(app.store.last_sweep().await?.as_ref(), next))
    }
}

impl Loop for ServiceManagerLoop {
    const NAME: &'static str = "service_manager";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        if self.has_watchdog {
            self.feed_watchdog();
        }
        // An error of the store must not delay the watchdog; other loops report it.
        if let Ok(status) = self.status().await
            && status != self.status
        {
            telemetry::notify_status(&status);
            self.status = status;
        }
        Ok(Progress::Pause(self.interval))
    }
}

fn idle_status(last: Option<&SweepRecord>, next: Option<Time>) -> String {
    let next = next.map_or_else(String::new, |next| format!("; next sweep {}", shown(next)));
    let ended = last.and_then(|last| Some((last, last.finished_at?)));
    match ended {
        None => format!("no sweep yet{next}"),
        Some((last, at)) => {
            let result = match &last.ended_early_because {
                Some(reason) => reason.as_str(),
                None if last.complete => "complete",
                None => "incomplete",
            };
            format!("last sweep {} ({result}){next}", shown(at))
        }
    }
}

fn shown(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
