//! Rescues deliveries whose lease expired, and finishes an interrupted import.

use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(30);

pub(super) struct LeaseLoop(App);

impl LeaseLoop {
    pub(super) fn new(app: &App) -> Self {
        Self(app.clone())
    }
}

impl Loop for LeaseLoop {
    const NAME: &'static str = "leases";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        self.0.finish_interrupted_import().await?;
        self.0.deliverer.rescue_expired_leases().await?;
        Ok(Progress::Pause(INTERVAL))
    }
}
