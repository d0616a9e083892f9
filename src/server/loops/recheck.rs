//! Polls the members whose recheck is due.

use crate::detect::recheck::Rechecker;
use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use crate::server::wake_signals::WakeSignals;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

pub(super) struct RecheckLoop {
    rechecker: Rechecker,
    wake: Arc<Notify>,
    plan: Arc<Notify>,
}

impl RecheckLoop {
    pub(super) fn new(app: &App, wakes: &WakeSignals) -> Self {
        Self { rechecker: app.rechecker.clone(), wake: wakes.recheck.clone(), plan: wakes.plan.clone() }
    }
}

impl Loop for RecheckLoop {
    const NAME: &'static str = "recheck";
    /// A poll can wait for its turn behind a sweep with a low rate limit.
    const MAX_STEP: Option<Duration> = None;
    /// A member whose recheck hangs delays no other one.
    const WAITS_FOR_FORMER: bool = false;

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.wake.clone())
    }

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let has_worked = self.rechecker.recheck_one().await?;
        if has_worked {
            self.plan.notify_one();
        }
        Ok(has_worked.into())
    }
}
