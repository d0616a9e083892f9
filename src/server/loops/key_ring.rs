//! Follows the file of the key ring.

use crate::server::components::App;
use crate::server::key_ring_watch::{KeyRingWatch, LOOK};
use crate::server::runner::{Loop, Progress};

pub(super) struct KeyRingLoop {
    watch: KeyRingWatch,
}

impl KeyRingLoop {
    pub(super) fn new(app: &App) -> Self {
        Self { watch: KeyRingWatch::new(app) }
    }
}

impl Loop for KeyRingLoop {
    const NAME: &'static str = "key_ring";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        self.watch.look().await?;
        Ok(Progress::Pause(LOOK))
    }
}
