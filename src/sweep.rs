//! Actor: one scheduled pass over the members.
//!
//! Members are read a page at a time, in order of their ids, and the pass records how far it has come a page at a
//! time, so that one that was cut off goes on there. Nothing is written for a member whose answer has not changed.

use crate::access::AskError;
use crate::clock::Clock;
use crate::domain::{MemberId, SweepId, Time};
use crate::gateway::Verdict;
use crate::observe::Observer;
use crate::store::{Applied, DueMember, OpenSweep, Store, StoreError, SweepProgress};
use crate::telemetry::metrics;
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Members read at a time: what is asked again, at the most, when a pass was cut off.
const PAGE: u32 = 1_000;
/// Fewer answers than this say nothing about everyone.
const ENOUGH: u64 = 20;
/// The longest that a pass waits when the gateway asks for patience; for more, it ends, and ticks are left out.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that ticks are left out for: one odd answer must not end the watch over everyone.
const LONGEST_PATIENCE: TimeDelta = TimeDelta::hours(1);

/// What a pass needs.
#[derive(Clone)]
pub struct Sweeper {
    store: Store,
    observer: Observer,
    clock: Clock,
    at_once: usize,
    needs_token: bool,
    progress: watch::Sender<SweepProgress>,
    /// In milliseconds since the Unix epoch.
    ask_again_at: Arc<AtomicI64>,
}

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it counted.
    pub progress: SweepProgress,
    /// Why it ended before its last member, if it did.
    pub stopped: Option<&'static str>,
    /// Whether it was called off; it goes on where it stopped.
    pub called_off: bool,
}

impl Report {
    /// Whether every due member gave a usable answer.
    pub fn complete(&self) -> bool {
        !self.called_off && self.stopped.is_none() && self.progress.unclear == 0
    }
}

/// What one page came to.
#[derive(Default)]
struct Page {
    progress: SweepProgress,
    /// Answers that say that the gateway is not well.
    outages: u64,
    stopped: Option<&'static str>,
}

impl Sweeper {
    /// Asks about `at_once` members at once. With `needs_token`, members without a stored credential are left out.
    pub fn new(store: Store, observer: Observer, clock: Clock, at_once: usize, needs_token: bool) -> Self {
        let progress = watch::Sender::new(SweepProgress::default());
        Self { store, observer, clock, at_once, needs_token, progress, ask_again_at: Arc::default() }
    }

    /// What the pass under way has counted so far.
    pub fn progress(&self) -> watch::Receiver<SweepProgress> {
        self.progress.subscribe()
    }

    /// Whether the gateway has asked to be left alone for now (`Retry-After`).
    pub fn must_wait(&self) -> bool {
        self.clock.now().timestamp_millis() < self.ask_again_at.load(Ordering::Relaxed)
    }

    /// Makes one pass, or the rest of one that was cut off. When `stop` is called, it ends with the questions under
    /// way, and can be taken up again.
    ///
    /// # Errors
    /// Only the store's: what goes wrong with members is counted.
    pub async fn pass(&self, stop: &CancellationToken) -> Result<Report, StoreError> {
        let began = self.clock.now();
        let OpenSweep { id, mut cursor, mut progress } = self.store.resume_or_begin_sweep(began).await?;
        tracing::info!(sweep = %id, resumed = cursor.is_some(), "sweep begins");
        let stopped = loop {
            let page =
                self.store.due_members(cursor.as_ref(), PAGE, self.needs_token, self.clock.now()).await?;
            let Some(last) = page.last().map(|due| due.id.clone()) else { break None };
            let page = self.page(page, progress, stop).await;
            if stop.is_cancelled() {
                tracing::info!(sweep = %id, "sweep called off; it goes on where its last page ended");
                return Ok(Report { progress, stopped: None, called_off: true });
            }
            progress.add(page.progress);
            if page.stopped.is_some() {
                break page.stopped;
            }
            self.store.sweep_came_to(&id, &last, progress).await?;
            cursor = Some(last);
        };
        self.finish(&id, progress, stopped, began).await
    }

    async fn finish(
        &self,
        id: &SweepId,
        progress: SweepProgress,
        stopped: Option<&'static str>,
        began: Time,
    ) -> Result<Report, StoreError> {
        let now = self.clock.now();
        self.store.sweep_finished(id, progress, stopped, now).await?;
        let report = Report { progress, stopped, called_off: false };
        let result = if report.complete() { "complete" } else { "incomplete" };
        metrics::sweep_ended(result, (now - began).to_std().unwrap_or_default());
        let SweepProgress { members, unclear, transitions } = progress;
        if let Some(stopped) = stopped {
            tracing::error!(sweep = %id, members, unclear, stopped, "sweep ended early: nothing is concluded");
        } else {
            tracing::info!(sweep = %id, members, unclear, transitions, "sweep ends");
        }
        Ok(report)
    }

    async fn page(&self, due: Vec<DueMember>, so_far: SweepProgress, stop: &CancellationToken) -> Page {
        // Called off, it asks no more and hears out those it has asked.
        let asked = stream::iter(due).take_until(stop.cancelled()).map(|due| {
            let (observer, member) = (self.observer.clone(), due.id.clone());
            // A task each: answers are read on all cores, and a panic ends that member's turn and nothing else.
            let answer = AbortOnDropHandle::new(tokio::spawn(async move {
                let answer = observer.poll_due(due).await;
                (answer, Instant::now())
            }));
            async move { (member, answer.await) }
        });
        let mut asked = pin!(asked.buffer_unordered(self.at_once));
        let mut page = Page::default();
        while let Some((member, answer)) = asked.next().await {
            let (trouble, answered) = match answer {
                Ok((answer, answered)) => (count(&member, answer, &mut page.progress), answered),
                Err(error) => {
                    tracing::error!(%member, %error, "asking about a member failed inside");
                    page.progress.members += 1;
                    page.progress.unclear += 1;
                    (Trouble::Outage { wait: None }, Instant::now())
                }
            };
            let mut all = so_far;
            all.add(page.progress);
            self.progress.send_replace(all);
            let Trouble::Outage { wait } = trouble else { continue };
            page.outages += 1;
            if page.progress.members >= ENOUGH && page.outages * 2 > page.progress.members {
                page.stopped = Some("most_answers_unclear");
                break;
            }
            let Some(wait) = wait else { continue };
            if wait > PATIENCE {
                let wait =
                    TimeDelta::from_std(wait).map_or(LONGEST_PATIENCE, |wait| wait.min(LONGEST_PATIENCE));
                let until = self.clock.now() + wait;
                self.ask_again_at.store(until.timestamp_millis(), Ordering::Relaxed);
                page.stopped = Some("gateway_asks_for_patience");
                break;
            }
            // Counted from its answer, so that answers that came together ask for one pause.
            tokio::select! { () = tokio::time::sleep_until(answered + wait) => {}, () = stop.cancelled() => {} }
        }
        page
    }
}

/// What an answer says of the gateway.
enum Trouble {
    /// Nothing, or only of the member's credential.
    None,
    /// It is not well; it may have asked for patience.
    Outage { wait: Option<Duration> },
}

/// Counts an answer; gives what it says of the gateway.
fn count(member: &MemberId, answer: Result<Applied, AskError>, progress: &mut SweepProgress) -> Trouble {
    progress.members += 1;
    let error = match answer {
        Ok(applied) => {
            progress.transitions += applied.transitions.len() as u64;
            metrics::member_polled("clear");
            return Trouble::None;
        }
        Err(error) => error,
    };
    progress.unclear += 1;
    metrics::member_polled("unclear");
    tracing::warn!(%member, %error, "no usable answer about member");
    match error {
        AskError::NoToken { .. } => Trouble::None,
        AskError::Gateway(error) => match error.verdict() {
            Verdict::Retry { after } => Trouble::Outage { wait: after },
            _ => Trouble::Outage { wait: None },
        },
        _ => Trouble::Outage { wait: None },
    }
}
