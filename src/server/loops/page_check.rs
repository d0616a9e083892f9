//! Looks for damaged pages once, beside the other loops, so that a start need not wait for it.

use crate::server::components::App;
use crate::server::instance::PAGE_CHECK;
use crate::server::runner::{Loop, Progress};
use crate::store::{Store, StoreError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub(super) struct PageCheckLoop {
    store: Store,
    shutdown: CancellationToken,
}

impl PageCheckLoop {
    pub(super) fn new(app: &App, shutdown: &CancellationToken) -> Self {
        Self { store: app.store.clone(), shutdown: shutdown.clone() }
    }
}

impl Loop for PageCheckLoop {
    const NAME: &'static str = "page_check";
    /// It pauses for good, which is no stall.
    const MAX_STEP: Option<Duration> = None;

    async fn step(&mut self) -> anyhow::Result<Progress> {
        match self.store.check_pages(PAGE_CHECK, &self.shutdown).await {
            // The store has logged damage, and remembers it.
            Ok(_) | Err(StoreError::Damaged(_)) => Ok(Progress::Pause(Duration::MAX)),
            Err(error) => Err(error.into()),
        }
    }
}
