//! Continues what dead instances left unfinished: deliveries, token refreshes, an import.

use crate::server::current::Current;
use crate::server::runner::{Loop, Progress};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(30);
/// The work of a dead instance continues within half a minute.
const SHARED_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct LeaseLoop(Current);

impl LeaseLoop {
    pub(super) fn new(current: &Current) -> Self {
        Self(current.clone())
    }
}

impl Loop for LeaseLoop {
    const NAME: &'static str = "leases";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let app = self.0.app();
        app.finish_interrupted_import().await?;
        app.release_leases_of_dead().await?;
        app.deliverer.rescue_abandoned().await?;
        app.deliverer.rescue_expired_leases().await?;
        Ok(Progress::Pause(if app.store.is_shared() { SHARED_INTERVAL } else { INTERVAL }))
    }
}
