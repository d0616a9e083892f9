//! Deletes old history at a low rate, and empties the write-ahead log.

use crate::base::clock::Clock;
use crate::server::components::App;
use crate::server::purger::{Next, Purger};
use crate::server::runner::{Loop, Progress};
use crate::store::Store;
use std::time::Duration;

/// A step is followed by a pause of this many times its duration, so that others come first.
const PAUSE_FACTOR: u32 = 10;
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// The clock can be set meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

pub(super) struct PurgeLoop {
    purger: Purger,
    store: Store,
    clock: Clock,
}

impl PurgeLoop {
    pub(super) fn new(app: &App) -> Self {
        Self { purger: Purger::new(app), store: app.store.clone(), clock: app.clock.clone() }
    }
}

impl Loop for PurgeLoop {
    const NAME: &'static str = "purge";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let began = self.clock.monotonic();
        let pause = match self.purger.step().await? {
            Next::Step => self.clock.monotonic().saturating_sub(began) * PAUSE_FACTOR,
            Next::Wait(wait) => {
                // An erasure leaves traces in it while others read.
                self.store.truncate_log().await?;
                wait.min(LONGEST_WAIT)
            }
        };
        Ok(Progress::Pause(pause.max(SHORTEST_PAUSE)))
    }
}
