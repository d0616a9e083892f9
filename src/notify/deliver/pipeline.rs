//! Many deliveries at the same time, claimed in batches.

use super::deliverer::{Delivered, Deliverer};
use super::delivery::Due;
use crate::store::StoreError;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Dropping it aborts the deliveries.
pub struct Pipeline {
    deliverer: Deliverer,
    under_way: JoinSet<Result<Delivered, StoreError>>,
}

/// The result of [`Pipeline::start_due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Started {
    /// The number of deliveries.
    Deliveries(usize),
    /// The mail server cannot be used. Ask again after this long.
    QueuePaused(Duration),
}

impl Pipeline {
    pub fn new(deliverer: &Deliverer) -> Self {
        Self { deliverer: deliverer.clone(), under_way: JoinSet::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Starts the deliveries that are due, as far as there is room. Waits for more room than a few, so that a claim is for
    /// a batch.
    ///
    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn start_due(&mut self) -> Result<Started, StoreError> {
        let max = self.deliverer.max_under_way;
        let room = max.saturating_sub(self.under_way.len());
        if room < (max / 4).max(1) {
            return Ok(Started::Deliveries(0));
        }
        match self.deliverer.claim_due(room).await? {
            Due::QueuePaused(wait) => Ok(Started::QueuePaused(wait)),
            Due::Claimed(claimed) => {
                let started = claimed.len();
                for claimed in claimed {
                    let deliverer = self.deliverer.clone();
                    self.under_way.spawn(async move { deliverer.deliver(claimed).await });
                }
                Ok(Started::Deliveries(started))
            }
        }
    }

    /// Waits for the end of a delivery. `None` when none is under way. Can be cancelled without a loss.
    pub(crate) async fn next(&mut self) -> Option<Result<Delivered, StoreError>> {
        self.under_way.join_next().await.map(result)
    }

    /// A delivery that has ended already.
    pub(crate) fn try_next(&mut self) -> Option<Result<Delivered, StoreError>> {
        self.under_way.try_join_next().map(result)
    }

    /// Delivers everything that is due. After `stop`, finishes what is under way. Returns `false` when the mail server
    /// cannot be used.
    ///
    /// # Errors
    /// Only errors of the store. Nothing is under way then.
    pub async fn deliver_all(&mut self, stop: &CancellationToken) -> Result<bool, StoreError> {
        let mut failure = None;
        loop {
            let mut started = Started::Deliveries(0);
            if failure.is_none() && !stop.is_cancelled() {
                started = self.start_due().await.unwrap_or_else(|error| {
                    failure = Some(error);
                    started
                });
            }
            match (self.next().await, started) {
                (Some(Ok(_)), _) => {}
                (Some(Err(error)), _) => failure = failure.or(Some(error)),
                (None, started) => {
                    return failure.map_or(Ok(!matches!(started, Started::QueuePaused(_))), Err);
                }
            }
        }
    }
}

/// A panic of a delivery continues here. Nothing cancels one.
fn result(joined: Result<Result<Delivered, StoreError>, JoinError>) -> Result<Delivered, StoreError> {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
