//! A sweep under way: takes the outcomes in order, judges, records and checkpoints.

use super::codes::{THROTTLED, THROTTLED_MEMBER};
use super::health::{Cleared, Health, Outage};
use super::outcome::PollOutcome;
use super::pending::Pending;
use super::polled::Polled;
use super::report::SweepReport;
use super::services::Services;
use crate::base::telemetry::metrics;
use crate::domain::SweepId;
use crate::store::{StoreError, SweepEnd, SweepPosition, SweepProgress};

/// The number of members between two checkpoints: a crash repeats at most these.
const CHECKPOINT: u32 = 1_000;

pub(super) struct Run {
    /// The row to checkpoint; `None` for a run over chosen members.
    pub(super) sweep: Option<SweepId>,
    pub(super) position: SweepPosition,
    pub(super) progress: SweepProgress,
    pub(super) health: Health,
    pub(super) pending: Pending,
    pub(super) ended_early_because: Option<&'static str>,
    /// The last member, in order, with any response, and the last one whose request was sent.
    pub(super) answered: Option<(i64, bool)>,
    pub(super) sent: Option<(i64, bool)>,
    /// The place before the first throttled member: the next sweep starts there, so that a quota does not always end
    /// before the same ones.
    pub(super) before_throttled: Option<Option<i64>>,
    pub(super) since_checkpoint: u32,
    /// Members polled since [`Run::count_polled`].
    pub(super) uncounted_clear: u64,
    pub(super) uncounted_unclear: u64,
}

impl Run {
    pub(super) async fn note(&mut self, services: &Services, mut polled: Polled) -> Result<(), StoreError> {
        let place = (polled.poll_key, polled.wrapped);
        match polled.outcome {
            PollOutcome::HeldBack { sent } => {
                self.ended_early_because.get_or_insert(THROTTLED);
                if !sent {
                    return Ok(());
                }
                self.sent = Some(place);
                polled.outcome = PollOutcome::Unclear {
                    reason: THROTTLED_MEMBER,
                    wait: None,
                    failed: true,
                    refusal: None,
                };
            }
            PollOutcome::Skipped(_) => {}
            PollOutcome::Unclear { reason: THROTTLED_MEMBER, .. } => {
                self.sent = Some(place);
                self.before_throttled.get_or_insert(self.position.last.or(self.position.starts_after));
            }
            _ => self.answered = Some(place),
        }
        if self.ended_early_because != Some(THROTTLED) {
            (self.position.last, self.position.wrapped) = (Some(place.0), place.1);
        }
        let sample = polled.outcome.sample();
        if sample.is_some() {
            let is_unclear = matches!(polled.outcome, PollOutcome::Unclear { .. });
            *(if is_unclear { &mut self.uncounted_unclear } else { &mut self.uncounted_clear }) += 1;
        }
        self.pending.note(polled, services.clock.now(), &mut self.progress);
        self.since_checkpoint += 1;
        if self.ended_early_because.is_some() {
            return Ok(());
        }
        if let Some(sample) = sample {
            self.health.note(sample);
            match self.health.judge() {
                Ok(cleared) => self.record_cleared(services, cleared).await?,
                Err(outage) => self.ended_early_because = Some(outage.code()),
            }
        }
        if self.since_checkpoint >= CHECKPOINT {
            self.checkpoint(services, None).await?;
        }
        Ok(())
    }

    /// Adds the members noted since the last call to the metric.
    pub(super) fn count_polled(&mut self) {
        for (outcome, members) in
            [("clear", &mut self.uncounted_clear), ("unclear", &mut self.uncounted_unclear)]
        {
            metrics::count_polled_members(outcome, std::mem::take(members));
        }
    }

    async fn record_cleared(&mut self, services: &Services, cleared: Cleared) -> Result<(), StoreError> {
        if cleared.emptied {
            self.progress.transitions += self.pending.accept_emptied(&services.poller).await?;
        }
        if cleared.refused {
            self.pending.reject_refused(&services.tokens).await?;
        }
        if cleared.emptied {
            self.pending.record(&services.store, services.clock.now()).await?;
        }
        Ok(())
    }

    async fn checkpoint(&mut self, services: &Services, end: Option<SweepEnd>) -> Result<(), StoreError> {
        self.since_checkpoint = 0;
        let Some(sweep) = &self.sweep else { return Ok(()) };
        let end = end.map(|end| (end, services.clock.now()));
        services.store.checkpoint_sweep(sweep, self.position, self.progress, end).await
    }

    pub(super) async fn finish(
        mut self,
        services: &Services,
        cancelled: bool,
    ) -> Result<SweepReport, StoreError> {
        if !cancelled && self.ended_early_because.is_none() {
            self.ended_early_because = self.health.judge_end().err().map(Outage::code);
        }
        if self.ended_early_because == Some(THROTTLED) {
            self.continue_behind_the_answered();
        }
        if cancelled || self.ended_early_because.is_some() {
            self.progress.unclear += self.pending.discard(self.ended_early_because == Some(THROTTLED));
        } else {
            self.record_cleared(services, Cleared { emptied: true, refused: true }).await?;
        }
        self.pending.record(&services.store, services.clock.now()).await?;
        // A sweep that stopped early while it was being interrupted has ended.
        let cancelled = cancelled && self.ended_early_because.is_none();
        let (progress, ended_early_because, max_unclear) =
            (self.progress, self.ended_early_because, services.max_unclear);
        let report = SweepReport { progress, ended_early_because, cancelled, max_unclear };
        let end = SweepEnd { ended_early_because, complete: report.complete() };
        if !cancelled && ended_early_because.is_none() {
            self.position.last = self.before_throttled.flatten();
        }
        self.checkpoint(services, (!cancelled).then_some(end)).await?;
        Ok(report)
    }

    pub(super) fn new(sweep: Option<SweepId>) -> Self {
        Self {
            sweep,
            position: SweepPosition::default(),
            progress: SweepProgress::default(),
            health: Health::default(),
            pending: Pending::default(),
            ended_early_because: None,
            answered: None,
            sent: None,
            before_throttled: None,
            since_checkpoint: 0,
            uncounted_clear: 0,
            uncounted_unclear: 0,
        }
    }

    /// A quota serves the first members in order and throttles the rest, who come first next time. If nobody was
    /// served, the next sweep skips the members that were tried: they may be the only throttled ones.
    fn continue_behind_the_answered(&mut self) {
        if let Some((last, wrapped)) = self.answered.or(self.sent) {
            (self.position.last, self.position.wrapped) = (Some(last), wrapped);
        }
    }
}
