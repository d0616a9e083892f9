//! The parts of a deliverer.

use super::{domain_shares::DomainShares, mail_sessions::MailSessions, queue_gate::QueueGate};
use crate::base::clock::Clock;
use crate::base::in_progress::InProgress;
use crate::base::instances::Instances;
use crate::credentials::TokenProvider;
use crate::detect::poll::Poller;
use crate::domain::NoticeId;
use crate::gateway::Gateway;
use crate::mail::{Renderer, Transport};
use crate::notify::plan::Policy;
use crate::store::{AttemptOutcome, Store};
use crate::webhook::WebhookClient;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

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
    /// Gets the notices instead of the mail server.
    pub(crate) receiver: Option<WebhookClient>,
    pub(crate) instances: Instances,
    pub(crate) link_ttl: Duration,
    /// Applies to queued notices, too: the configuration may have changed since they were planned.
    pub(crate) policy: Arc<Policy>,
    pub(crate) gate: QueueGate,
    /// Wakes the loops that deliver.
    pub(crate) wake: Arc<Notify>,
    pub(crate) shares: DomainShares,
    pub(crate) sessions: MailSessions,
    /// How many deliveries are under way at most. Those beyond the sessions are prepared ahead of the mail server.
    pub(crate) max_under_way: usize,
    /// The wall clock can be set; this set proves that a delivery still runs.
    pub(crate) in_progress: InProgress<NoticeId>,
    /// The results that are being stored, or retried until they are.
    pub(crate) recordings: TaskTracker,
}

/// The result of one step of the delivery loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// No notice was due.
    Nothing,
    One(AttemptOutcome),
    /// The mail server cannot be used. Ask again after this long.
    QueuePaused(Duration),
}
