//! Classifies queued requests in the order of their arrival, and counts them by day and email domain.

use super::request_queue::{QueuedRequest, RequestRecorder, request_queue};
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::domain::{Client, LinkAction, Time, TokenHash, classify_client};
use crate::store::{DailyCount, LinkActivity, LinkContext, Store, StoreError};
use chrono::{DurationRound, TimeDelta};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};

/// Requests counted in one transaction.
const BATCH_SIZE: usize = 1024;

/// Counts requests. Cheap to clone. A crash loses the queued requests: they are statistics only.
#[derive(Clone)]
pub struct RequestCounter {
    store: Store,
    queue: Arc<Mutex<Queue>>,
}

struct Queue {
    receiver: mpsc::Receiver<QueuedRequest>,
    /// Received but not counted yet. Not empty after the store failed.
    batch: Vec<QueuedRequest>,
}

impl Queue {
    fn fill_batch(&mut self) -> bool {
        while self.batch.len() < BATCH_SIZE
            && let Ok(request) = self.receiver.try_recv()
        {
            self.batch.push(request);
        }
        !self.batch.is_empty()
    }
}

impl RequestCounter {
    /// Creates the counter, and the recorder that feeds it.
    pub(crate) fn new(store: Store, clock: Clock) -> (RequestRecorder, Self) {
        let (recorder, receiver) = request_queue(clock);
        let queue = Queue { receiver, batch: Vec::new() };
        (recorder, Self { store, queue: Arc::new(Mutex::new(queue)) })
    }

    /// Counts all queued requests.
    ///
    /// # Errors
    /// When the store fails. The next call counts the same requests.
    pub async fn drain_queue(&self) -> Result<(), StoreError> {
        let mut queue = self.queue.lock().await;
        while queue.fill_batch() {
            self.count(&queue.batch).await?;
            queue.batch.clear();
        }
        Ok(())
    }

    async fn count(&self, batch: &[QueuedRequest]) -> Result<(), StoreError> {
        let mut counts = Counts::default();
        let mut links: HashMap<TokenHash, Option<LinkState>> = HashMap::new();
        for QueuedRequest { link, request } in batch {
            if !links.contains_key(link) {
                let context = self.store.link_context(*link).await?;
                links.insert(*link, context.map(|context| LinkState::new(*link, context)));
            }
            // A link can be unknown, or its member removed.
            let Some(Some(state)) = links.get_mut(link) else { continue };
            let client = classify_client(request, state.context.email, state.activity.last_viewed_at);
            state.apply(request.action, client, request.received_at);
            counts.add(request.received_at, &state.context.domain, request.action, client);
        }
        let counts = counts.into_daily();
        if counts.is_empty() {
            return Ok(());
        }
        let activities: Vec<_> = links.into_values().flatten().map(|state| state.activity).collect();
        self.store.add_counts(&counts, &activities).await?;
        for count in &counts {
            metrics::count_link_requests(count.action, count.client, count.requests);
        }
        Ok(())
    }
}

struct LinkState {
    context: LinkContext,
    activity: LinkActivity,
}

impl LinkState {
    fn new(link: TokenHash, context: LinkContext) -> Self {
        let activity = LinkActivity { link, last_viewed_at: context.last_viewed_at, first_opened_at: None };
        Self { context, activity }
    }

    fn apply(&mut self, action: LinkAction, client: Client, at: Time) {
        if action == LinkAction::View {
            self.activity.last_viewed_at = Some(at);
        }
        // A person who presses has opened the page, even if the view looked like a bot's.
        if client == Client::Human {
            self.activity.first_opened_at.get_or_insert(at);
        }
    }
}

#[derive(Default)]
struct Counts(BTreeMap<(Time, String, LinkAction, Client), u32>);

impl Counts {
    fn add(&mut self, at: Time, domain: &str, action: LinkAction, client: Client) {
        let day = at.duration_trunc(TimeDelta::days(1)).unwrap_or(at);
        *self.0.entry((day, domain.to_owned(), action, client)).or_default() += 1;
    }

    fn into_daily(self) -> Vec<DailyCount> {
        let count =
            |((day, domain, action, client), requests)| DailyCount { day, domain, action, client, requests };
        self.0.into_iter().map(count).collect()
    }
}
