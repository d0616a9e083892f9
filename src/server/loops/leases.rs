//! Rescues deliveries whose lease expired, and finishes an interrupted import.

use crate::base::clock::Clock;
use crate::notify::deliver::Deliverer;
use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use crate::store::Store;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(30);

pub(super) struct LeaseLoop {
    store: Store,
    clock: Clock,
    deliverer: Deliverer,
}

impl LeaseLoop {
    pub(super) fn new(app: &App) -> Self {
        Self { store: app.store.clone(), clock: app.clock.clone(), deliverer: app.deliverer.clone() }
    }
}

impl Loop for LeaseLoop {
    const NAME: &'static str = "leases";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let imported = self.store.finish_interrupted_import(self.clock.now()).await?;
        if imported > 0 {
            tracing::warn!(event = "import_finished", members = imported, "finished an interrupted import");
        }
        self.deliverer.rescue_expired_leases().await?;
        Ok(Progress::Pause(INTERVAL))
    }
}
