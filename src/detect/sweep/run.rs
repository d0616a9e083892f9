//! A sweep under way: takes the outcomes in order, judges, records and checkpoints.

use super::health::{Cleared, Health, Outage};
use super::outcome::PollOutcome;
use super::pending::Pending;
use super::{CHECKPOINT, Polled, SweepReport, Sweeper, THROTTLED, THROTTLED_MEMBER};
use crate::base::telemetry::metrics;
use crate::domain::SweepId;
use crate::store::{StoreError, SweepEnd, SweepPosition, SweepProgress};

/// A sweep under way.
pub(super) struct Run {
    /// The row to checkpoint; `None` for a run over chosen members.
    pub(super) sweep: Option<SweepId>,
    pub(super) position: SweepPosition,
    pub(super) progress: SweepProgress,
    pub(super) health: Health,
    pub(super) pending: Pending,
    pub(super) ended_early_because: Option<&'static str>,
    /// The last member, in order, who was answered at all, and the last one whose request was sent.
    pub(super) answered: Option<(i64, bool)>,
    pub(super) sent: Option<(i64, bool)>,
    /// The place before the first throttled member: the next sweep starts there, so that a quota does not always end
    /// before the same ones.
    pub(super) before_throttled: Option<Option<i64>>,
    pub(super) since_checkpoint: u32,
}

impl Sweeper {
    pub(super) async fn note(&self, run: &mut Run, mut polled: Polled) -> Result<(), StoreError> {
        let place = (polled.poll_key, polled.wrapped);
        match polled.outcome {
            PollOutcome::HeldBack { sent } => {
                run.ended_early_because.get_or_insert(THROTTLED);
                if !sent {
                    return Ok(());
                }
                run.sent = Some(place);
                polled.outcome = PollOutcome::Unclear {
                    reason: THROTTLED_MEMBER,
                    wait: None,
                    failed: true,
                    refusal: None,
                };
            }
            PollOutcome::Skipped(_) => {}
            PollOutcome::Unclear { reason: THROTTLED_MEMBER, .. } => {
                run.sent = Some(place);
                run.before_throttled.get_or_insert(run.position.last.or(run.position.starts_after));
            }
            _ => run.answered = Some(place),
        }
        if run.ended_early_because != Some(THROTTLED) {
            (run.position.last, run.position.wrapped) = (Some(place.0), place.1);
        }
        let sample = polled.outcome.sample();
        if sample.is_some() {
            let unclear = matches!(polled.outcome, PollOutcome::Unclear { .. });
            metrics::count_polled_member(if unclear { "unclear" } else { "clear" });
        }
        run.pending.note(polled, self.clock.now(), &mut run.progress);
        run.since_checkpoint += 1;
        if run.ended_early_because.is_some() {
            return Ok(());
        }
        if let Some(sample) = sample {
            run.health.note(sample);
            match run.health.judge() {
                Ok(cleared) => self.record_cleared(run, cleared).await?,
                Err(outage) => run.ended_early_because = Some(outage.code()),
            }
        }
        if run.since_checkpoint >= CHECKPOINT {
            self.checkpoint(run, None).await?;
        }
        Ok(())
    }

    async fn record_cleared(&self, run: &mut Run, cleared: Cleared) -> Result<(), StoreError> {
        if cleared.emptied {
            run.pending.accept_emptied(&self.poller, &mut run.progress).await?;
        }
        if cleared.refused {
            run.pending.reject_refused(&self.access).await?;
        }
        if cleared.emptied {
            run.pending.record(&self.store, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn checkpoint(&self, run: &mut Run, end: Option<SweepEnd>) -> Result<(), StoreError> {
        run.since_checkpoint = 0;
        let Some(sweep) = &run.sweep else { return Ok(()) };
        let end = end.map(|end| (end, self.clock.now()));
        self.store.checkpoint_sweep(sweep, run.position, run.progress, end).await
    }

    pub(super) async fn finish(&self, mut run: Run, cancelled: bool) -> Result<SweepReport, StoreError> {
        if !cancelled && run.ended_early_because.is_none() {
            run.ended_early_because = run.health.judge_end().err().map(Outage::code);
        }
        if run.ended_early_because == Some(THROTTLED) {
            run.continue_behind_the_answered();
        }
        if cancelled || run.ended_early_because.is_some() {
            run.pending.drop_accusations(&mut run.progress, run.ended_early_because == Some(THROTTLED));
        } else {
            self.record_cleared(&mut run, Cleared { emptied: true, refused: true }).await?;
        }
        run.pending.record(&self.store, self.clock.now()).await?;
        // A sweep that stopped early while it was being interrupted has ended.
        let cancelled = cancelled && run.ended_early_because.is_none();
        let (progress, ended_early_because, max_unclear) =
            (run.progress, run.ended_early_because, self.max_unclear);
        let report = SweepReport { progress, ended_early_because, cancelled, max_unclear };
        let end = SweepEnd { ended_early_because, complete: report.complete() };
        if !cancelled && ended_early_because.is_none() {
            run.position.last = run.before_throttled.flatten();
        }
        self.checkpoint(&mut run, (!cancelled).then_some(end)).await?;
        self.progress.send_replace(progress);
        Ok(report)
    }
}

impl Run {
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
        }
    }

    /// A quota answers the first members in order and throttles the rest, who come first next time. Where nobody was
    /// answered, the next sweep passes those who were tried: they may be the only ones who are throttled.
    fn continue_behind_the_answered(&mut self) {
        if let Some((last, wrapped)) = self.answered.or(self.sent) {
            (self.position.last, self.position.wrapped) = (Some(last), wrapped);
        }
    }
}
