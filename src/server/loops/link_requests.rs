//! Counts link requests, in batches.

use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use crate::traffic::RequestCounter;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct LinkRequestLoop {
    counter: RequestCounter,
}

impl LinkRequestLoop {
    pub(super) fn new(app: &App) -> Self {
        Self { counter: app.request_counter.clone() }
    }
}

impl Loop for LinkRequestLoop {
    const NAME: &'static str = "link_requests";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        self.counter.drain_queue().await?;
        Ok(Progress::Pause(INTERVAL))
    }
}
