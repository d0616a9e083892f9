//! Service: applies the responses that arrive while others are written, together with one another.

use crate::base::batches::{Batches, Item};
use crate::base::clock::Clock;
use crate::detect::decide::{self, Policy};
use crate::domain::{Cause, ConnectionState, Listing, MemberId, Time};
use crate::store::{ApplyReport, PollResult, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// Responses in one unit of work.
const BATCH: usize = 128;
/// How long a response waits for others while many change something.
const GATHERING: Duration = Duration::from_millis(10);
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

impl Item for Response {
    fn key(&self) -> &str {
        self.member_id.as_str()
    }
}

/// Applies responses. Cheap to clone.
#[derive(Clone)]
pub(super) struct Responses {
    batches: Batches<Response, ApplyReport, StoreError>,
    store: Store,
    clock: Clock,
    policy: Policy,
}

impl Responses {
    pub(super) fn new(store: Store, clock: Clock, policy: Policy) -> Self {
        Self { batches: Batches::new(BATCH, AT_ONCE).gathering(GATHERING), store, clock, policy }
    }

    /// # Errors
    /// The store's, or a panic. The response was not applied.
    pub(super) async fn apply(&self, response: Arc<Response>) -> Result<ApplyReport, StoreError> {
        let Self { store, clock, policy, .. } = self.clone();
        self.batches
            .submit(response, move |responses: Vec<Arc<Response>>| {
                let (store, policy, now) = (store.clone(), policy.clone(), clock.now());
                async move {
                    let answers: Vec<_> = responses.iter().map(|response| poll_result(response)).collect();
                    let decide =
                        |known: &[ConnectionState], seen: &Listing| decide::decide(known, seen, &policy, now);
                    store.apply_responses(&answers, now, decide).await
                }
            })
            .await
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
