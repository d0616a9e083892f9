//! Looks whether the configuration has changed.

use crate::server::reload::Reloads;
use crate::server::runner::{Loop, Progress};
use std::time::Duration;

/// Between two looks. A change takes effect when two of them agree.
const INTERVAL: Duration = Duration::from_secs(2);

pub(in crate::server) struct ConfigWatchLoop(Reloads);

impl ConfigWatchLoop {
    pub(in crate::server) fn new(reloads: Reloads) -> Self {
        Self(reloads)
    }
}

impl Loop for ConfigWatchLoop {
    const NAME: &'static str = "config_watch";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        self.0.look().await?;
        Ok(Progress::Pause(INTERVAL))
    }
}
