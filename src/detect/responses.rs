//! Service: applies the responses that arrive while others are written, together with one another.

use crate::base::clock::Clock;
use crate::detect::decide::{self, Policy};
use crate::domain::{Cause, ConnectionState, Listing, MemberId, Time};
use crate::store::{ApplyReport, PollResult, Store, StoreError};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};

/// Responses in one unit of work.
const BATCH: usize = 128;
/// Units at once: one decides while another is written.
const AT_ONCE: usize = 2;

/// A usable response of the gateway about one member.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) member_id: MemberId,
    pub(super) asked_at: Time,
    pub(super) cause: Cause,
    pub(super) listing: Listing,
    pub(super) digest: [u8; 32],
    /// Whether to apply a list that became empty.
    pub(super) accept_empty: bool,
}

/// Applies responses. Cheap to clone.
#[derive(Clone)]
pub(super) struct Responses {
    waiting: UnboundedSender<Waiting>,
}

#[derive(Clone)]
struct Applier {
    store: Store,
    clock: Clock,
    policy: Policy,
}

struct Waiting {
    response: Arc<Response>,
    applied: oneshot::Sender<Result<ApplyReport, StoreError>>,
}

impl Responses {
    pub(super) fn new(store: Store, clock: Clock, policy: Policy) -> Self {
        let (waiting, responses) = unbounded_channel();
        tokio::spawn(Applier { store, clock, policy }.run(responses));
        Self { waiting }
    }

    /// # Errors
    /// The store's, or a panic. The response was not applied.
    pub(super) async fn apply(&self, response: Arc<Response>) -> Result<ApplyReport, StoreError> {
        let (applied, report) = oneshot::channel();
        self.waiting.send(Waiting { response, applied }).map_err(|_| StoreError::RolledBack)?;
        report.await.map_err(|_| StoreError::RolledBack)?
    }
}

impl Applier {
    async fn run(self, mut responses: UnboundedReceiver<Waiting>) {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut waiting = Vec::new();
        loop {
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
            let free = BATCH - waiting.len().min(BATCH);
            if waiting.is_empty() {
                if responses.recv_many(&mut waiting, free).await == 0 {
                    return;
                }
            } else {
                waiting.extend(std::iter::from_fn(|| responses.try_recv().ok()).take(free));
            }
            let batch = one_for_each_member(&mut waiting);
            let applier = self.clone();
            tokio::spawn(async move {
                applier.apply_batch(batch).await;
                drop(turn);
            });
        }
    }

    /// If the batch fails, each response is tried alone, so that one bad row affects only its member.
    async fn apply_batch(&self, batch: Vec<Waiting>) {
        let responses: Vec<_> = batch.iter().map(|waiting| Arc::clone(&waiting.response)).collect();
        match self.apply(responses).await {
            Ok(reports) => {
                for (waiting, report) in batch.into_iter().zip(reports) {
                    let _ = waiting.applied.send(Ok(report));
                }
            }
            Err(error) if batch.len() == 1 => {
                let _ = batch.into_iter().next().map(|waiting| waiting.applied.send(Err(error)));
            }
            Err(error) => {
                tracing::warn!(%error, members = batch.len(), "responses are applied one by one");
                for waiting in batch {
                    let applied = self.apply(vec![Arc::clone(&waiting.response)]).await;
                    let report = applied.map(|mut reports| reports.pop().unwrap_or_default());
                    let _ = waiting.applied.send(report);
                }
            }
        }
    }

    /// In a task, so that a panic becomes an error.
    async fn apply(&self, responses: Vec<Arc<Response>>) -> Result<Vec<ApplyReport>, StoreError> {
        let Self { store, clock, policy } = self.clone();
        let applied = tokio::spawn(async move {
            let now = clock.now();
            let answers: Vec<_> = responses.iter().map(|response| poll_result(response)).collect();
            let decide =
                |known: &[ConnectionState], seen: &Listing| decide::decide(known, seen, &policy, now);
            store.apply_responses(&answers, now, decide).await
        });
        applied.await.map_err(StoreError::Panicked)?
    }
}

fn poll_result(response: &Response) -> PollResult<'_> {
    PollResult {
        member_id: &response.member_id,
        asked_at: response.asked_at,
        cause: response.cause,
        seen: &response.listing,
        digest: &response.digest,
        accept_empty: response.accept_empty,
    }
}

/// Takes the first response about each member. A later one depends on what an earlier one changes.
fn one_for_each_member(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut members = HashSet::new();
    waiting.extract_if(.., |next| members.insert(next.response.member_id.clone())).collect()
}
