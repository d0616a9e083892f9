use super::codes::THROTTLED_MEMBER;
use super::order::InOrder;
use super::outcome::PollOutcome;
use super::polled::Polled;
use super::report::{Limits, SweepReport};
use super::run::{Run, Services};
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::TokenProvider;
use crate::detect::poll::Poller;
use crate::domain::{MemberId, SweepId, Time};
use crate::gateway::Gateway;
use crate::store::{DueMember, OpenSweep, Store, StoreError, SweepPosition, SweepProgress};
use chrono::TimeDelta;
use futures_util::{Stream, StreamExt, stream};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Members read at a time.
const BATCH: u32 = 1_000;
/// The longest wait within a sweep when the gateway asks everyone to wait; for more, the sweep stops.
const MAX_IN_SWEEP_WAIT: Duration = Duration::from_secs(60);
/// The number of shared waits that one member's poll takes part in.
const MAX_WAITS: u32 = 3;
/// Retry times later than this were written while the clock was ahead, and do not count.
const LONGEST_CREDENTIAL_WAIT: TimeDelta = TimeDelta::hours(48);
const LONGEST_THROTTLE: TimeDelta = TimeDelta::hours(2);
/// A member without a usable response for this long is unreachable.
pub(crate) const UNREACHABLE_AFTER: TimeDelta = TimeDelta::hours(24);

/// Polls the fleet. Cheap to clone.
#[derive(Clone)]
pub struct Sweeper {
    services: Services,
    gateway: Gateway,
    at_once: usize,
    needs_token: bool,
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
        Self { services, gateway, at_once, needs_token, progress }
    }

    /// The counts of the sweep under way.
    pub fn progress(&self) -> watch::Receiver<SweepProgress> {
        self.progress.subscribe()
    }

    /// Whether the gateway asked all clients to wait.
    pub fn is_throttled(&self) -> bool {
        self.gateway.shared_wait().is_some()
    }

    /// Polls every enrolled, unpaused member, or the rest of them where a sweep was interrupted. After `stop` it polls
    /// nobody else, waits for the polls under way, and can be resumed.
    ///
    /// # Errors
    /// The store's. What goes wrong with members is counted.
    pub async fn sweep(&self, stop: &CancellationToken) -> Result<SweepReport, StoreError> {
        let began = self.services.clock.now();
        let OpenSweep { id, position, progress, resumed } =
            self.services.store.resume_or_start_sweep(began).await?;
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
        metrics::count_sweep(result, (self.services.clock.now() - began).to_std().unwrap_or_default());
        let (ended, complete) = self.services.store.last_sweep_ends().await?;
        metrics::set_last_sweeps(ended, complete);
        metrics::set_unreachable_members(
            self.services.store.unreachable_members(self.services.clock.now() - UNREACHABLE_AFTER).await?,
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
            Ok(id) => match self.services.store.member_to_poll(&id).await {
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
                let batch = self.services.store.members_to_poll(after, until, BATCH).await?;
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
        let polls = members.take_until(feed.cancelled()).enumerate().map(|(number, due)| {
            let feed = &feed;
            async move {
                let (due, wrapped) = due?;
                Ok::<_, StoreError>((number as u64, self.poll_in_task(due, wrapped, feed).await))
            }
        });
        let mut polls = pin!(polls.buffer_unordered(self.at_once.max(1)));
        let mut in_order = InOrder::default();
        while let Some(polled) = polls.next().await {
            let (number, polled) = polled?;
            in_order.put(number, polled);
            while let Some(polled) = in_order.take() {
                run.note(&self.services, polled).await?;
                self.progress.send_replace(run.progress);
                if run.ended_early_because.is_some() {
                    feed.cancel();
                }
            }
        }
        let report = run.finish(&self.services, stop.is_cancelled()).await?;
        self.progress.send_replace(report.progress);
        Ok(report)
    }

    /// A task for each poll: responses are read on all cores, and a panic ends that member's poll and nothing else.
    async fn poll_in_task(&self, due: DueMember, wrapped: bool, feed: &CancellationToken) -> Polled {
        let (member, poll_key, was_unclear) = (due.id.clone(), due.poll_key, due.unclear.clone());
        let (sweeper, feed) = (self.clone(), feed.clone());
        let outcome = match tokio::spawn(async move { sweeper.poll(due, &feed).await }).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%member, %error, "polling a member panicked");
                PollOutcome::Unclear { reason: "internal_error", wait: None, failed: true, refusal: None }
            }
        };
        Polled { member, poll_key, wrapped, was_unclear, outcome }
    }

    async fn poll(&self, due: DueMember, feed: &CancellationToken) -> PollOutcome {
        if let Some(reason) = self.skip_reason(&due) {
            return PollOutcome::Skipped(reason);
        }
        for _ in 0..MAX_WAITS {
            let member = due.id.clone();
            let poll = self.services.poller.poll_due(&due).await;
            let error = poll.result.as_ref().err().map(ToString::to_string);
            let outcome = PollOutcome::of(poll);
            let throttled = matches!(
                outcome,
                PollOutcome::HeldBack { .. } | PollOutcome::Unclear { reason: THROTTLED_MEMBER, .. }
            );
            if let (true, Some(wait)) = (throttled, self.gateway.shared_wait()) {
                if wait > MAX_IN_SWEEP_WAIT {
                    return PollOutcome::HeldBack {
                        sent: !matches!(outcome, PollOutcome::HeldBack { sent: false }),
                    };
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => continue,
                    () = feed.cancelled() => return outcome,
                }
            }
            if let (PollOutcome::Unclear { reason, .. }, Some(error)) = (&outcome, error) {
                tracing::warn!(%member, reason, error, "no usable response about member");
            }
            return outcome;
        }
        PollOutcome::HeldBack { sent: false }
    }

    fn skip_reason(&self, due: &DueMember) -> Option<&'static str> {
        let now = self.services.clock.now();
        let waits = |until: Time, longest| until > now && until - now <= longest;
        let credentials = &due.credentials;
        if credentials
            .failure
            .as_ref()
            .is_some_and(|failure| waits(failure.retry_at, LONGEST_CREDENTIAL_WAIT))
        {
            Some("credential_refused")
        } else if self.needs_token && credentials.refresh.is_none() {
            Some("credential_missing")
        } else if self.services.tokens.is_locked(&due.id, credentials) {
            Some("credential_locked")
        } else if due.retry_at.is_some_and(|until| waits(until, LONGEST_THROTTLE)) {
            Some(THROTTLED_MEMBER)
        } else {
            None
        }
    }

    /// An outage is reported once, at its beginning.
    async fn log_end(&self, sweep: &SweepId, report: &SweepReport) -> Result<(), StoreError> {
        let SweepProgress { members, unclear, skipped, transitions } = report.progress;
        let before = self.services.store.previous_stop(sweep).await?;
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
