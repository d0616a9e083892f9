//! Tells the other instances that this one is alive.

use crate::server::components::App;
use crate::server::instance::Heart;
use crate::server::runner::{Loop, Progress};
use std::time::Duration;

pub(super) struct HeartbeatLoop {
    heart: Heart,
    interval: Duration,
}

impl HeartbeatLoop {
    pub(super) fn new(app: &App) -> Self {
        Self { heart: Heart::new(app), interval: app.store.heartbeat_interval() }
    }
}

impl Loop for HeartbeatLoop {
    const NAME: &'static str = "heartbeat";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        self.heart.beat().await?;
        Ok(Progress::Pause(self.interval))
    }
}
