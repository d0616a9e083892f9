//! Delivers the notices that are due.

use crate::mail::Transport;
use crate::notify::deliver::{Delivered, Pipeline, Started};
use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use crate::server::wake_signals::WakeSignals;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How soon a delivery notices that the queue is open again.
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// How soon the loop looks for due notices while others are under way.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct DeliverLoop {
    transport: Arc<Transport>,
    pipeline: Pipeline,
    wake: Arc<Notify>,
    plan: Arc<Notify>,
}

impl DeliverLoop {
    pub(super) fn new(app: &App, wakes: &WakeSignals) -> Self {
        Self {
            transport: app.deliverer.transport.clone(),
            pipeline: Pipeline::new(&app.deliverer),
            wake: wakes.deliver.clone(),
            plan: wakes.plan.clone(),
        }
    }

    fn ended(&self, delivered: Result<Delivered, StoreError>) -> Result<(), StoreError> {
        if let Delivered::One(_) = delivered? {
            self.plan.notify_one();
        }
        Ok(())
    }
}

impl Loop for DeliverLoop {
    const NAME: &'static str = "deliver";
    /// A restart while an accepted email is being recorded would send it again.
    const MAX_STEP: Option<Duration> = None;

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.wake.clone())
    }

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let pause = match self.pipeline.start_due().await? {
            Started::Deliveries(_) => None,
            Started::QueuePaused(pause) => Some(pause.min(MAX_PAUSE)),
        };
        if self.pipeline.is_empty() {
            return Ok(pause.map_or(Progress::Idle, Progress::Pause));
        }
        let wait = pause.unwrap_or(POLL_INTERVAL);
        tokio::select! {
            Some(delivered) = self.pipeline.next() => self.ended(delivered)?,
            () = self.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
        while let Some(delivered) = self.pipeline.try_next() {
            self.ended(delivered)?;
        }
        Ok(Progress::Worked)
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        let mut failure = None;
        while let Some(delivered) = self.pipeline.next().await {
            failure = failure.or(delivered.err());
        }
        self.transport.close().await;
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}
