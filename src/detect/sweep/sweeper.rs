use super::due_poller::DuePoller;
use super::order::InOrder;
use super::report::{Limits, SweepReport};
use super::run::Run;
use super::services::Services;
use super::workers::Workers;
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::TokenProvider;
use crate::detect::poll::Poller;
use crate::domain::{MemberId, SweepId, Time};
use crate::gateway::Gateway;
use crate::store::{DueMember, OpenSweep, Store, StoreError, SweepPosition, SweepProgress};
use chrono::TimeDelta;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Members read at a time.
const BATCH: u32 = 1_000;
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
        limits: Limits,
    ) -> Self {
        let Limits { at_once, needs_token, max_unclear } = limits;
        let progress = watch::Sender::new(SweepProgress::default());
        let services = Services { store, poller, tokens, clock, max_unclear };
        let poller = DuePoller { services, gateway, needs_token };
        Self { poller, at_once, progress }
    }

    /// The counts of the sweep under way.
    pub fn progress(&self) -> watch::Receiver<SweepProgress> {
        self.progress.subscribe()
    }

    /// Whether the gateway asked all clients to wait.
    pub fn is_throttled(&self) -> bool {
        self.poller.gateway.shared_wait().is_some()
    }

    /// Polls every enrolled, unpaused member, or the rest of them where a sweep was interrupted. After `stop` it polls
    /// nobody else, waits for the polls under way, and can be resumed.
    ///
    /// # Errors
    /// The store's. What goes wrong with members is counted.
    pub async fn sweep(&self, stop: &CancellationToken) -> Result<SweepReport, StoreError> {
        let began = self.services().clock.now();
        let OpenSweep { id, position, progress, resumed } =
            self.services().store.resume_or_start_sweep(began).await?;
        tracing::info!(sweep = %id, resumed, "sweep starts");
        let members = self.members_from(position);
        let run = Run { position, progress, ..Run::new(Some(id.clone())) };
        let report = self.run(run, members, stop).await?;
        if report.cancelled {
            tracing::info!(event = "sweep_interrupted", sweep = %id, "sweep interrupted; it will be resumed");
            return Ok(report);
        }
        self.log_end(&id, &report).await?;
        let result = if report.complete() { "complete" } else { "incomplete" };
        metrics::count_sweep(result, (self.services().clock.now() - began).to_std().unwrap_or_default());
        let (ended, complete) = self.services().store.last_sweep_ends().await?;
        metrics::set_last_sweeps(ended, complete);
        metrics::set_unreachable_members(
            self.services()
                .store
                .unreachable_members(self.services().clock.now() - UNREACHABLE_AFTER)
                .await?,
        );
        Ok(report)
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
                Ok(Some(due)) => Some(Ok((ready(due), false))),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            },
        });
        self.run(Run::new(None), due, stop).await
    }

    /// The members behind `position`, in order, each with whether the sweep has wrapped around by then.
    fn members_from(
        &self,
        position: SweepPosition,
    ) -> impl Stream<Item = Result<(DueMember, bool), StoreError>> + Send {
        let batches = stream::try_unfold(position, async |mut position| {
            loop {
                let (after, until) = match position {
                    SweepPosition { wrapped: true, last, starts_after } => (last, starts_after),
                    SweepPosition { wrapped: false, last, starts_after } => (last.or(starts_after), None),
                };
                let batch = self.services().store.members_to_poll(after, until, BATCH).await?;
                if let Some(last) = batch.last() {
                    let wrapped = position.wrapped;
                    position.last = Some(last.poll_key);
                    let batch: Vec<_> = batch.into_iter().map(|due| Ok((due, wrapped))).collect();
                    return Ok(Some((stream::iter(batch), position)));
                }
                if position.wrapped || position.starts_after.is_none() {
                    return Ok(None);
                }
                (position.wrapped, position.last) = (true, None);
            }
        });
        batches
            .map(|batch| match batch {
                Ok(members) => members.left_stream(),
                Err(error) => stream::iter([Err(error)]).right_stream(),
            })
            .flatten()
    }

    async fn run(
        &self,
        mut run: Run,
        members: impl Stream<Item = Result<(DueMember, bool), StoreError>> + Send,
        stop: &CancellationToken,
    ) -> Result<SweepReport, StoreError> {
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
                    if run.ended_early_because.is_some() {
                        feed.cancel();
                    }
                }
                run.count_polled();
                self.progress.send_replace(run.progress);
            }
            Ok(())
        };
        tokio::try_join!(polling, noting)?;
        let report = run.finish(self.services(), stop.is_cancelled()).await?;
        self.progress.send_replace(report.progress);
        Ok(report)
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
                tracing::info!(%sweep, members, unclear, skipped, reason, "sweep stopped early again");
            }
            Some(reason) => {
                tracing::error!(
                    %sweep, members, unclear, skipped, reason,
                    "sweep stopped early: the gateway, or the way to it, is at fault; no member is blamed"
                );
            }
            None => {
                if let Some(reason) = before {
                    tracing::warn!(%sweep, reason, "sweeps run to their end again");
                }
                tracing::info!(%sweep, members, unclear, skipped, transitions, "sweep ended");
            }
        }
        Ok(())
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
