//! The parts of a deliverer.

use crate::base::clock::Clock;
use crate::credentials::TokenProvider;
use crate::detect::poll::Poller;
use crate::gateway::Gateway;
use crate::mail::{Renderer, Transport};
use crate::store::{AttemptOutcome, Store};
use std::sync::Arc;
use std::time::Duration;

/// Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    pub(crate) store: Store,
    pub(crate) poller: Poller,
    pub(crate) tokens: TokenProvider,
    pub(crate) gateway: Gateway,
    pub(crate) clock: Clock,
    pub(crate) renderer: Arc<Renderer>,
    pub(crate) transport: Arc<Transport>,
    pub(crate) link_ttl: Duration,
    pub(crate) reminders: Reminders,
}

/// The number of reminders after the first notice, by status. The last one announces that it is the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reminders {
    pub(crate) expired: u32,
    pub(crate) disconnected: u32,
}

/// The result of one step of the delivery loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// No notice was due.
    Nothing,
    One(AttemptOutcome),
    /// The attempt failed for a cause that affects every notice. Pause the queue for this long.
    QueuePaused(Duration),
}
