//! Continues what dead instances left unfinished: deliveries, token refreshes, an import.

use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(30);
/// The work of a dead instance continues within half a minute.
const SHARED_INTERVAL: Duration = Duration::from_secs(5);

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
        self.0.release_leases_of_dead().await?;
        self.0.deliverer.rescue_abandoned().await?;
        self.0.deliverer.rescue_expired_leases().await?;
        Ok(Progress::Pause(if self.0.store.is_shared() { SHARED_INTERVAL } else { INTERVAL }))
    }
}
