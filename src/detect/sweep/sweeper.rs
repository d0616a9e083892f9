use super::codes;
use super::due_poller::DuePoller;
use super::order::InOrder;
use super::report::{Limits, SweepReport};
use super::run::{PartEnd, Run};
use super::services::Services;
use super::workers::Workers;
use crate::base::clock::Clock;
use crate::base::telemetry::{metrics, traces};
use crate::credentials::TokenProvider;
use crate::detect::brake::StormBrake;
use crate::detect::poll::Poller;
use crate::domain::{MemberId, SweepId, Time};
use crate::gateway::Gateway;
use crate::store::{DueMember, OpenSweep, Store, StoreError, SweepPage, SweepProgress};
use chrono::TimeDelta;
use futures_util::{Stream, StreamExt, stream};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often a command looks whether other instances have ended the sweep.
const WAIT_FOR_OTHERS: Duration = Duration::from_millis(500);
/// A member without a usable response for this long is unreachable.
pub(crate) const UNREACHABLE_AFTER: TimeDelta = TimeDelta::hours(24);

/// Polls the fleet. Cheap to clone.
#[derive(Clone)]
pub struct Sweeper {
    poller: DuePoller,
    at_once: usize,
    progress: watch::Sender<SweepProgress>,
}

impl Sweeper {
    /// Polls through `poller`, and rejects credentials through `tokens`.
    pub fn new(
        store: Store,
        poller: Poller,
        tokens: TokenProvider,
        gateway: Gateway,
        clock: Clock,
        brake: StormBrake,
        limits: Limits,
    ) -> Self {
        let Limits { at_once, needs_token, max_unclear } = limits;
        let progress = watch::Sender::new(SweepProgress::default());
        let services = Services { store, poller, tokens, clock, max_unclear, brake };
        let poller = DuePoller { services, gateway, needs_token };
        Self { poller, at_once, progress }
    }

    /// Publishes its counts where `former` did.
    #[must_use]
    pub(crate) fn succeeding(self, former: &Self) -> Self {
        Self { progress: former.progress.clone(), ..self }
    }

    /// The counts of the sweep under way.
    pub fn progress(&self) -> watch::Receiver<SweepProgress> {
        self.progress.subscribe()
    }

    /// Whether the gateway asked all clients to wait.
    pub fn is_throttled(&self) -> bool {
        self.poller.gateway.shared_wait().is_some()
    }

    /// Polls every enrolled, unpaused member, or the rest of them where a sweep was interrupted. Waits for the other
    /// instances that take part. After `stop` it polls nobody else, waits for the polls under way, and can be resumed.
    ///
    /// # Errors
    /// The store's. What goes wrong with members is counted.
    pub async fn sweep(&self, stop: &CancellationToken) -> Result<SweepReport, StoreError> {
        let store = &self.services().store;
        store.start_sweep(self.services().clock.now(), None).await?;
        let Some(sweep) = store.open_sweep().await? else {
            return Ok(self.report(SweepProgress::default(), None));
        };
        loop {
            if let Some(report) = self.take_part(stop).await? {
                return Ok(report);
            }
            if let Some((progress, reason)) = store.ended_sweep(&sweep.id).await? {
                return Ok(self.report(progress, reason));
            }
            if stop.run_until_cancelled(tokio::time::sleep(WAIT_FOR_OTHERS)).await.is_none() {
                return Ok(SweepReport { cancelled: true, ..self.report(sweep.progress, None) });
            }
        }
    }

    /// Starts the sweep of a tick of the schedule, unless another instance has, or one is open. `None`: no tick asked for
    /// it. Returns whether it was started.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(&self, tick: Option<Time>) -> Result<bool, StoreError> {
        self.services().store.start_sweep(self.services().clock.now(), tick).await
    }

    /// Polls pages of the open sweep until there are no more. Returns the report of a sweep that ended with it, or that
    /// `stop` interrupted. `None`: no sweep is open, or other instances have the rest.
    ///
    /// # Errors
    /// The store's.
    pub async fn take_part(&self, stop: &CancellationToken) -> Result<Option<SweepReport>, StoreError> {
        let store = &self.services().store;
        let Some(sweep) = store.open_sweep().await? else { return Ok(None) };
        let OpenSweep { id, started_at, has_begun, .. } = sweep.clone();
        // Of a run that failed.
        store.leave_sweep(&id, None).await?;
        if !store.has_work_in(&id).await? {
            return Ok(None);
        }
        tracing::info!(event = "sweep_started", sweep_id = %id, resumed = has_begun, "sweep starts");
        let members = self.members_of(&id);
        let run = async {
            let end = self.run(Run::new(Some(sweep)), members, stop).await;
            record_end(&end);
            end
        };
        let report = match traces::in_span("sweep", &[("sweep_id", &id)], run).await? {
            PartEnd::Whole(report) => report,
            PartEnd::Part => {
                tracing::info!(
                    event = "sweep_part_ended", sweep_id = %id,
                    "other instances have the rest of the sweep"
                );
                return Ok(None);
            }
        };
        if report.cancelled {
            tracing::info!(
                event = "sweep_interrupted", sweep_id = %id,
                "sweep interrupted; it will be resumed"
            );
            return Ok(Some(report));
        }
        self.log_end(&id, &report).await?;
        let result = if report.complete() { "complete" } else { "incomplete" };
        let now = self.services().clock.now();
        metrics::count_sweep(result, (now - started_at).to_std().unwrap_or_default());
        self.publish_last_sweeps().await?;
        Ok(Some(report))
    }

    /// Publishes what the metrics say about the last sweeps, which may be another instance's.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn publish_last_sweeps(&self) -> Result<(), StoreError> {
        let store = &self.services().store;
        let (ended, complete) = store.last_sweep_ends().await?;
        metrics::set_last_sweeps(ended, complete);
        let answered_since = self.services().clock.now() - UNREACHABLE_AFTER;
        metrics::set_unreachable_members(store.unreachable_members(answered_since).await?);
        Ok(())
    }

    fn report(&self, progress: SweepProgress, reason: Option<String>) -> SweepReport {
        let ended_early_because = reason.map(|reason| codes::of_early_end(&reason));
        let Services { clock, max_unclear, .. } = self.services();
        SweepReport {
            progress,
            ended_early_because,
            cancelled: false,
            ended_at: clock.now(),
            max_unclear: *max_unclear,
        }
    }

    /// Polls these members now, whatever they wait for.
    ///
    /// # Errors
    /// The store's.
    pub async fn poll_now(
        &self,
        members: impl Stream<Item = Result<MemberId, StoreError>> + Send,
        stop: &CancellationToken,
    ) -> Result<SweepReport, StoreError> {
        let due = members.filter_map(async |id| match id {
            Err(error) => Some(Err(error)),
            Ok(id) => match self.services().store.member_to_poll(&id).await {
                Ok(Some(due)) => Some(Ok((ready(due), None))),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            },
        });
        match self.run(Run::new(None), due, stop).await? {
            PartEnd::Whole(report) => Ok(report),
            PartEnd::Part => Ok(self.report(SweepProgress::default(), None)),
        }
    }

    /// The members of one page after another.
    fn members_of(
        &self,
        sweep: &SweepId,
    ) -> impl Stream<Item = Result<(DueMember, Option<SweepPage>), StoreError>> + Send {
        let pages = stream::try_unfold(sweep.clone(), async |sweep| {
            let store = &self.services().store;
            let Some(page) = store.claim_page(&sweep).await? else { return Ok(None) };
            let members = store.members_to_poll(page.after, Some(page.until), u32::MAX).await?;
            let members: Vec<_> = members.into_iter().map(|due| Ok((due, Some(page)))).collect();
            Ok(Some((stream::iter(members), sweep)))
        });
        pages
            .map(|page| match page {
                Ok(members) => members.left_stream(),
                Err(error) => stream::iter([Err(error)]).right_stream(),
            })
            .flatten()
    }

    async fn run(
        &self,
        mut run: Run,
        members: impl Stream<Item = Result<(DueMember, Option<SweepPage>), StoreError>> + Send,
        stop: &CancellationToken,
    ) -> Result<PartEnd, StoreError> {
        let feed = stop.child_token();
        // An error of the store ends the workers, too.
        let _end = feed.clone().drop_guard();
        let (workers, mut arriving) = Workers::new(self.at_once);
        let polling = workers.poll_all(self.poller.clone(), members, &feed);
        let noting = async {
            let mut in_order = InOrder::default();
            let mut batch = Vec::new();
            while arriving.next(&mut batch).await {
                batch.drain(..).for_each(|(number, polled)| in_order.put(number, polled));
                while let Some(polled) = in_order.take() {
                    run.note(self.services(), polled).await?;
                    if run.is_over() {
                        feed.cancel();
                    }
                }
                run.count_polled();
                self.progress.send_replace(run.shown_progress());
            }
            Ok(())
        };
        tokio::try_join!(polling, noting)?;
        let end = run.finish(self.services(), stop.is_cancelled()).await?;
        if let PartEnd::Whole(report) = &end {
            self.progress.send_replace(report.progress);
        }
        Ok(end)
    }

    fn services(&self) -> &Services {
        &self.poller.services
    }

    /// An outage is reported once, at its beginning.
    async fn log_end(&self, sweep: &SweepId, report: &SweepReport) -> Result<(), StoreError> {
        let SweepProgress { members, unclear, skipped, transitions } = report.progress;
        let before = self.services().store.previous_stop(sweep).await?;
        match report.ended_early_because {
            Some(reason) if before.as_deref() == Some(reason) => {
                tracing::info!(
                    event = "sweep_stopped_again", sweep_id = %sweep, members, unclear, skipped, reason,
                    "sweep stopped early again"
                );
            }
            Some(reason) => {
                tracing::error!(
                    event = "sweep_stopped_early", sweep_id = %sweep, members, unclear, skipped, reason,
                    "sweep stopped early: the gateway, or the way to it, is at fault; no member is blamed"
                );
            }
            None => {
                if let Some(reason) = before {
                    tracing::warn!(
                        event = "sweeps_recovered", sweep_id = %sweep, reason,
                        "sweeps run to their end again"
                    );
                }
                tracing::info!(
                    event = "sweep_ended", sweep_id = %sweep, members, unclear, skipped, transitions,
                    "sweep ended"
                );
            }
        }
        Ok(())
    }
}

/// In the trace.
fn record_end(end: &Result<PartEnd, StoreError>) {
    match end {
        Ok(PartEnd::Whole(report)) => {
            let SweepProgress { members, unclear, skipped, transitions } = report.progress;
            let counts = [
                ("members", members),
                ("unclear", unclear),
                ("skipped", skipped),
                ("transitions", transitions),
            ];
            counts.into_iter().for_each(|(name, count)| traces::record_count(name, count));
            let is_complete = report.complete();
            let outcome = match report.ended_early_because {
                _ if report.cancelled => "interrupted",
                Some(_) => "stopped_early",
                None if is_complete => "complete",
                None => "incomplete",
            };
            traces::record("outcome", outcome);
            if let Some(reason) = report.ended_early_because {
                traces::record_failure(reason);
            }
        }
        Ok(PartEnd::Part) => traces::record("outcome", "part_ended"),
        Err(error) => traces::record_failure(error.code()),
    }
}

/// The member, without what they wait for.
fn ready(mut due: DueMember) -> DueMember {
    due.retry_at = None;
    if let Some(failure) = &mut due.credentials.failure {
        failure.retry_at = Time::UNIX_EPOCH;
    }
    due
}
