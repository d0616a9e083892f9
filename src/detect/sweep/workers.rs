//! Tasks that poll the members of a sweep: one for each poll that may be in flight, and not one for each member.

use super::due_poller::DuePoller;
use super::polled::Polled;
use crate::store::{DueMember, StoreError, SweepPage};
use futures_util::{Stream, StreamExt};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Members read ahead, so that the workers do not idle while the store reads the next ones. A crash repeats them.
const READ_AHEAD: usize = 250;

/// A member with their number, counted from 0, and their page.
type Turn = (u64, DueMember, Option<SweepPage>);

/// A sweep's tasks, before they start.
pub(super) struct Workers {
    at_once: usize,
    slots: Arc<Semaphore>,
    results: mpsc::Sender<(u64, Polled)>,
}

/// The results, as they arrive.
pub(super) struct Arriving {
    results: mpsc::Receiver<(u64, Polled)>,
    /// A poll may begin for each result that was noted, so that no more than `at_once` are ahead of the judge.
    slots: Arc<Semaphore>,
    /// The results of the last batch.
    unreleased: usize,
}

impl Workers {
    /// Of `at_once` tasks.
    pub(super) fn new(at_once: usize) -> (Self, Arriving) {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        let slots = Arc::new(Semaphore::new(at_once));
        let (sender, results) = mpsc::channel(at_once);
        let arriving = Arriving { results, slots: slots.clone(), unreleased: 0 };
        (Self { at_once, slots, results: sender }, arriving)
    }

    /// Polls the members of the stream until it ends or `stop` is cancelled.
    ///
    /// # Errors
    /// The stream's. The polls under way go on, but nobody else is polled.
    pub(super) async fn poll_all(
        self,
        poller: DuePoller,
        members: impl Stream<Item = Result<(DueMember, Option<SweepPage>), StoreError>> + Send,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let (sender, queue) = mpsc::channel(READ_AHEAD);
        let (slots, results, stopped) = (self.slots, self.results, stop.clone());
        let worker = Worker { poller, queue: Arc::new(Mutex::new(queue)), slots, results, stop: stopped };
        let feed = async {
            let mut members = pin!(members.enumerate());
            while let Some((number, member)) = members.next().await {
                let (due, page) = member.inspect_err(|_| stop.cancel())?;
                if number < self.at_once {
                    tokio::spawn(worker.clone().work());
                }
                // The workers hold the other end until `stop` is cancelled.
                let _ = sender.send((number as u64, due, page)).await;
            }
            Ok(())
        };
        stop.run_until_cancelled(feed).await.unwrap_or(Ok(()))
    }
}

impl Arriving {
    /// Waits for results and puts them into `batch`, with the members' numbers. False: all have arrived. Those of the call
    /// before count as noted.
    pub(super) async fn next(&mut self, batch: &mut Vec<(u64, Polled)>) -> bool {
        self.slots.add_permits(self.unreleased);
        self.unreleased = self.results.recv_many(batch, usize::MAX).await;
        self.unreleased > 0
    }
}

/// One of the tasks that share a queue. Cheap to clone.
#[derive(Clone)]
struct Worker {
    poller: DuePoller,
    /// A worker holds the lock while it waits for a member, and the others queue behind it. So members begin in order.
    queue: Arc<Mutex<mpsc::Receiver<Turn>>>,
    slots: Arc<Semaphore>,
    results: mpsc::Sender<(u64, Polled)>,
    stop: CancellationToken,
}

impl Worker {
    async fn work(self) {
        while let Some((number, due, page)) = self.next().await {
            let polled = self.poller.poll(due, page, &self.stop).await;
            if self.results.send((number, polled)).await.is_err() {
                return;
            }
        }
    }

    async fn next(&self) -> Option<Turn> {
        let mut queue = self.queue.lock().await;
        // Never closed.
        let slot = self.slots.acquire().await.ok()?;
        let next = if self.stop.is_cancelled() { None } else { queue.recv().await };
        if next.is_some() {
            // The permit comes back when the result has been noted.
            slot.forget();
        }
        next
    }
}
