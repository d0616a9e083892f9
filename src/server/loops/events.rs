//! Posts the events that are due.

use crate::notify::events::{EventCourier, EventsStarted};
use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use std::time::Duration;

/// How soon the loop looks for due events while others are under way.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How soon an operator's retry is noticed.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Between two looks at what was interrupted, and what is old.
const MAINTENANCE: Duration = Duration::from_secs(30);

pub(super) struct EventLoop {
    courier: EventCourier,
    maintained_at: Option<Duration>,
    app: App,
}

impl EventLoop {
    /// `None` without a receiver.
    pub(super) fn new(app: &App) -> Option<Self> {
        Some(Self { courier: app.event_courier()?, maintained_at: None, app: app.clone() })
    }
}

impl Loop for EventLoop {
    const NAME: &'static str = "events";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let now = self.app.clock.monotonic();
        if self.maintained_at.is_none_or(|at| now >= at + MAINTENANCE) {
            self.courier.maintain().await?;
            self.maintained_at = Some(now);
        }
        let started = self.courier.start_due().await?;
        if self.courier.is_empty() {
            return Ok(match started {
                EventsStarted::Posts(_) => Progress::Idle,
                EventsStarted::Paused(wait) => Progress::Pause(wait.min(MAX_PAUSE)),
            });
        }
        tokio::select! {
            Some(ended) = self.courier.next() => ended?,
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
        Ok(Progress::Worked)
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        let mut failure = None;
        while let Some(ended) = self.courier.next().await {
            failure = failure.or(ended.err());
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}
