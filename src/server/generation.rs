//! What runs by one configuration: its loops and its schedule.

use super::components::App;
use super::wake_signals::WakeSignals;
use anyhow::Context;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

pub(super) struct Generation {
    /// Ends the loops.
    pub(super) stop: CancellationToken,
    scheduler: JobScheduler,
}

impl Generation {
    /// Starts the schedule, which only wakes the sweep loop: that decides whether a sweep is due.
    pub(super) async fn prepare(
        app: &App,
        wakes: &WakeSignals,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let scheduler = JobScheduler::new().await.context("the scheduler did not start")?;
        let expression = app.config.sweep.schedule.as_str();
        let (wakes, clock, schedule) = (wakes.clone(), app.clock.clone(), app.config.sweep.schedule.clone());
        let job = Job::new(expression, move |_, _| wakes.tick(schedule.last_due(clock.now())))
            .with_context(|| format!("sweep.schedule: `{expression}` is not a valid cron expression"))?;
        scheduler.add(job).await.context("the scheduler rejected the schedule")?;
        scheduler.start().await.context("the scheduler did not start")?;
        Ok(Self { stop: shutdown.child_token(), scheduler })
    }

    /// The loops finish what they have in hand.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(event = "scheduler_not_stopped", %error, "the scheduler did not shut down");
        }
    }
}
