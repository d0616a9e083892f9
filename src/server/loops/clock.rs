//! Notices when the wall clock is set, and publishes whether sweeps are overdue.

use super::clock_steps::ClockWatch;
use crate::base::telemetry::metrics;
use crate::server::current::Current;
use crate::server::readiness::Readiness;
use crate::server::runner::{Loop, Progress};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct ClockLoop {
    current: Current,
    readiness: Readiness,
    watch: ClockWatch,
}

impl ClockLoop {
    pub(super) fn new(current: &Current, readiness: Readiness) -> Self {
        let clock = &current.app().clock;
        let watch = ClockWatch::new(clock.now(), clock.monotonic());
        Self { current: current.clone(), readiness, watch }
    }
}

impl Loop for ClockLoop {
    const NAME: &'static str = "clock";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        metrics::set_sweeps_overdue(self.readiness.sweeps_overdue());
        let app = self.current.app();
        let clock = &app.clock;
        if let Some(step) = self.watch.step(clock.now(), clock.monotonic()) {
            tracing::warn!(event = "clock_set", seconds = step.num_seconds(), "the wall clock was set");
            app.pull_back_from_future().await?;
        }
        Ok(Progress::Pause(INTERVAL))
    }
}
