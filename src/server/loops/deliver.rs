//! Delivers the notices that are due.

use crate::notify::deliver::{Delivered, Deliverer};
use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use crate::server::wake_signals::WakeSignals;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How soon a delivery notices that the queue is open again.
const MAX_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct DeliverLoop {
    deliverer: Deliverer,
    wake: Arc<Notify>,
    plan: Arc<Notify>,
}

impl DeliverLoop {
    pub(super) fn new(app: &App, wakes: &WakeSignals) -> Self {
        Self { deliverer: app.deliverer.clone(), wake: wakes.deliver.clone(), plan: wakes.plan.clone() }
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
        Ok(match self.deliverer.deliver_one().await? {
            Delivered::Nothing => Progress::Idle,
            Delivered::One(_) => {
                self.plan.notify_one();
                Progress::Worked
            }
            Delivered::QueuePaused(pause) => Progress::Pause(pause.min(MAX_PAUSE)),
        })
    }
}
