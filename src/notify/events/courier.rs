//! Posts claimed events and records the results.

use super::due_links::DueLinks;
use super::receiver_gate::{Pass, ReceiverGate};
use crate::base::clock::Clock;
use crate::base::in_progress::{InProgress, InProgressGuard};
use crate::base::telemetry::{metrics, traces};
use crate::base::{backoff, random};
use crate::domain::{EventId, Time};
use crate::store::{EventClaim, EventResult, Store, StoreError};
use crate::webhook::{Message, PostError, WebhookClient};
use chrono::TimeDelta;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Posts at the same time. The receiver is one system.
const MAX_UNDER_WAY: usize = 16;
/// How long a claim is valid. A post takes at most ten seconds.
const LEASE: TimeDelta = TimeDelta::minutes(1);

/// Dropping it aborts the posts.
pub struct EventCourier {
    store: Store,
    client: WebhookClient,
    clock: Clock,
    links: DueLinks,
    gate: ReceiverGate,
    in_progress: InProgress<EventId>,
    under_way: JoinSet<Result<(), StoreError>>,
}

/// The result of [`EventCourier::start_due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventsStarted {
    Posts(usize),
    /// The receiver confirms nothing. Ask again after this long.
    Paused(Duration),
}

impl EventCourier {
    pub fn new(store: Store, client: WebhookClient, clock: Clock, links: DueLinks) -> Self {
        Self {
            store,
            client,
            clock,
            links,
            gate: ReceiverGate::default(),
            in_progress: InProgress::default(),
            under_way: JoinSet::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Starts the posts that are due, as far as there is room.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn start_due(&mut self) -> Result<EventsStarted, StoreError> {
        let now = self.clock.now();
        let room = MAX_UNDER_WAY.saturating_sub(self.under_way.len());
        let slots = match self.gate.enter(now) {
            Pass::All => room,
            Pass::Probe if self.under_way.is_empty() => 1,
            Pass::Probe => 0,
            Pass::Wait(wait) => return Ok(EventsStarted::Paused(wait)),
        };
        if slots == 0 {
            return Ok(EventsStarted::Posts(0));
        }
        let claims = self.store.claim_events(now, now + LEASE, slots).await?;
        let started = claims.len();
        for claim in claims {
            let guard = self.in_progress.begin(claim.id.clone());
            let post = Post {
                store: self.store.clone(),
                client: self.client.clone(),
                clock: self.clock.clone(),
                links: self.links.clone(),
                gate: self.gate.clone(),
                claim,
                _in_progress: guard,
            };
            self.under_way.spawn(post.run());
        }
        Ok(EventsStarted::Posts(started))
    }

    /// Waits for the end of a post. `None` when none is under way. Can be cancelled without a loss.
    pub async fn next(&mut self) -> Option<Result<(), StoreError>> {
        self.under_way.join_next().await.map(result)
    }

    /// Posts everything that is due, once. After `stop`, finishes what is under way.
    ///
    /// # Errors
    /// Only errors of the store. Nothing is under way then.
    pub async fn deliver_all(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        let mut failure = None;
        loop {
            if failure.is_none() && !stop.is_cancelled() {
                failure = self.start_due().await.err();
            }
            match self.next().await {
                Some(ended) => failure = failure.or(ended.err()),
                None => return failure.map_or(Ok(()), Err),
            }
        }
    }

    /// Queues the events again whose post ended without a result, deletes those that were delivered long ago, and publishes
    /// how many are not delivered.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn maintain(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let rescued = self.store.rescue_expired_events(now, &self.in_progress.keys()).await?;
        if rescued > 0 {
            tracing::warn!(
                event = "events_rescued",
                events = rescued,
                "queued events again that were interrupted"
            );
        }
        self.store.prune_events(now).await?;
        metrics::set_events(&self.store.count_undelivered_events().await?);
        Ok(())
    }
}

/// One post of one event.
struct Post {
    store: Store,
    client: WebhookClient,
    clock: Clock,
    links: DueLinks,
    gate: ReceiverGate,
    claim: EventClaim,
    _in_progress: InProgressGuard<EventId>,
}

impl Post {
    async fn run(self) -> Result<(), StoreError> {
        let EventClaim { id, event_type, attempt, .. } = &self.claim;
        let attributes: [traces::Attribute<'_>; 3] =
            [("event_id", id), ("event_type", event_type), ("attempt", attempt)];
        traces::in_span("event", &attributes, async {
            self.post().await.inspect_err(|error| traces::record_failure(error.code()))
        })
        .await
    }

    async fn post(&self) -> Result<(), StoreError> {
        let Self { store, client, clock, gate, claim, .. } = self;
        let (id, event_type, attempt) = (&claim.id, &claim.event_type, claim.attempt);
        let body = self.links.body(claim, store, clock.now()).await?;
        let posted = client.post(Message { id: id.as_str(), body: &body.text }).await;
        let now = clock.now();
        // After a timeout, the receiver may have the link.
        if let (Some(link), Err(PostError::Unreachable | PostError::Status { .. })) = (body.link, &posted) {
            store.delete_due_link(link).await?;
        }
        let result = result_of(claim, &posted, now);
        if !store.end_event_attempt(claim, &result, now).await? {
            tracing::warn!(
                event = "event_lease_expired", event_id = %id, attempt,
                "the lease of an event expired; it will be posted again"
            );
        }
        let outcome = match &result {
            EventResult::Delivered => "delivered",
            EventResult::Retry { .. } => "retry",
            EventResult::Failed { .. } => "failed",
        };
        metrics::count_event_attempt(outcome);
        traces::record("outcome", outcome);
        if let EventResult::Retry { error, .. } | EventResult::Failed { error } = &result {
            traces::record_failure(error);
        }
        match &posted {
            Ok(()) => {
                gate.confirmed();
                tracing::debug!(event_id = %id, event_type, attempt, "event delivered");
            }
            Err(error) => {
                if gate.failed(now, error.retry_after()) {
                    tracing::warn!(
                        event = "receiver_failing", %error,
                        "the receiver at webhook.url confirms nothing; events wait, and are tried one by one"
                    );
                }
                if let EventResult::Failed { .. } = result {
                    tracing::error!(
                        event = "event_failed", event_id = %id, event_type, attempt, %error,
                        "an event was not delivered within three days; `events retry` queues it again"
                    );
                } else {
                    tracing::info!(
                        event = "event_not_delivered", event_id = %id, event_type, attempt, %error,
                        "event not delivered yet"
                    );
                }
            }
        }
        Ok(())
    }
}

/// The last attempt is at the end of the three days, or later, if earlier events of the member took as long.
fn result_of(claim: &EventClaim, posted: &Result<(), PostError>, now: Time) -> EventResult {
    let Err(error) = posted else { return EventResult::Delivered };
    let code = error.code();
    if now >= claim.retry_until {
        return EventResult::Failed { error: code };
    }
    let wait = backoff::event_retry_delay(claim.attempt, random::jitter(), error.retry_after());
    let at = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::hours(1));
    EventResult::Retry { at: at.min(claim.retry_until), error: code }
}

/// A panic of a post continues here. Nothing cancels one.
fn result(joined: Result<Result<(), StoreError>, JoinError>) -> Result<(), StoreError> {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
