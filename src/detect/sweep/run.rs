//! A part of a sweep under way: takes the outcomes in order, judges them, and records them page by page.

use super::codes::{THROTTLED, THROTTLED_MEMBER};
use super::health::{Cleared, Health, Outage};
use super::outcome::PollOutcome;
use super::pending::Pending;
use super::polled::Polled;
use super::report::SweepReport;
use super::services::Services;
use crate::base::telemetry::metrics;
use crate::domain::SweepId;
use crate::store::{OpenSweep, PageReport, StoreError, SweepPage, SweepPosition, SweepProgress, SweepState};

pub(super) struct Run {
    /// `None` for a run over chosen members.
    sweep: Option<OpenSweep>,
    /// Of the last member, in order, who was noted.
    position: SweepPosition,
    /// The page of that member, and its counts. Earlier pages are finished.
    page: Option<PageReport>,
    /// The counts of this run.
    pub(super) progress: SweepProgress,
    health: Health,
    pending: Pending,
    pub(super) ended_early_because: Option<&'static str>,
    /// Another instance has ended the sweep.
    pub(super) is_ended: bool,
    /// The last member, in order, with any response, and the last one whose request was sent.
    answered: Option<SweepPosition>,
    sent: Option<SweepPosition>,
    /// The place before the first throttled member: the next sweep starts there, so that a quota does not always end
    /// before the same ones.
    before_throttled: Option<Option<i64>>,
    /// Members polled since [`Run::count_polled`].
    uncounted_clear: u64,
    uncounted_unclear: u64,
}

/// How a part of a sweep came to its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PartEnd {
    /// The sweep ended with it, or was interrupted. The report is about the whole sweep.
    Whole(SweepReport),
    /// Other instances have the rest, or have ended the sweep.
    Part,
}

impl Run {
    pub(super) fn new(sweep: Option<OpenSweep>) -> Self {
        Self {
            sweep,
            position: SweepPosition::default(),
            page: None,
            progress: SweepProgress::default(),
            health: Health::default(),
            pending: Pending::default(),
            ended_early_because: None,
            is_ended: false,
            answered: None,
            sent: None,
            before_throttled: None,
            uncounted_clear: 0,
            uncounted_unclear: 0,
        }
    }

    /// Whether nobody else is to be polled.
    pub(super) fn is_over(&self) -> bool {
        self.is_ended || self.ended_early_because.is_some()
    }

    /// The counts so far: of the whole sweep at the start of this run, and of this run.
    pub(super) fn shown_progress(&self) -> SweepProgress {
        self.sweep.as_ref().map_or(self.progress, |sweep| sweep.progress + self.progress)
    }

    /// # Errors
    /// Also when the database took nothing of what the poll brought: the sweep continues when it does.
    pub(super) async fn note(&mut self, services: &Services, mut polled: Polled) -> Result<(), StoreError> {
        if let Some(page) = polled.page {
            self.enter(services, page).await?;
        }
        let wrapped = polled.page.is_some_and(|page| page.wrapped);
        let place = SweepPosition { last: Some(polled.poll_key), wrapped };
        match polled.outcome {
            PollOutcome::NotStored(error) => return Err(error),
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
                let starts_after = self.sweep.as_ref().and_then(|sweep| sweep.starts_after);
                self.before_throttled.get_or_insert(self.position.last.or(starts_after));
            }
            _ => self.answered = Some(place),
        }
        if self.ended_early_because != Some(THROTTLED) {
            self.position = place;
        }
        let sample = polled.outcome.sample();
        if sample.is_some() {
            let is_unclear = matches!(polled.outcome, PollOutcome::Unclear { .. });
            *(if is_unclear { &mut self.uncounted_unclear } else { &mut self.uncounted_clear }) += 1;
        }
        let mut counts = SweepProgress::default();
        self.pending.note(polled, services.clock.now(), &mut counts);
        self.add(counts);
        if self.is_over() {
            return Ok(());
        }
        if let Some(sample) = sample {
            self.health.note(sample);
            match self.health.judge() {
                Ok(cleared) => self.record_cleared(services, cleared).await?,
                Err(outage) => self.ended_early_because = Some(outage.code()),
            }
        }
        Ok(())
    }

    /// Begins a page, and finishes the one before.
    async fn enter(&mut self, services: &Services, page: SweepPage) -> Result<(), StoreError> {
        if self.page.is_some_and(|current| current.number == page.number) || self.is_over() {
            return Ok(());
        }
        let begun = PageReport { number: page.number, progress: SweepProgress::default() };
        if let Some(done) = self.page.replace(begun)
            && let Some(sweep) = &self.sweep
        {
            self.is_ended = !services.store.finish_page(&sweep.id, done).await?;
        } else {
            self.position = SweepPosition { last: page.after, wrapped: page.wrapped };
        }
        Ok(())
    }

    fn add(&mut self, counts: SweepProgress) {
        self.progress = self.progress + counts;
        if let Some(page) = &mut self.page {
            page.progress = page.progress + counts;
        }
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
            let transitions = self.pending.accept_emptied(&services.poller).await?;
            self.add(SweepProgress { transitions, ..SweepProgress::default() });
        }
        if cleared.refused {
            self.pending.reject_refused(&services.tokens).await?;
        }
        if cleared.emptied {
            self.pending.record(&services.store, services.clock.now()).await?;
        }
        Ok(())
    }

    pub(super) async fn finish(
        mut self,
        services: &Services,
        cancelled: bool,
    ) -> Result<PartEnd, StoreError> {
        if !cancelled && !self.is_over() {
            self.ended_early_because = self.health.judge_end().err().map(Outage::code);
        }
        let is_throttled = self.ended_early_because == Some(THROTTLED);
        if is_throttled {
            self.continue_behind_the_answered();
        }
        if cancelled || self.is_over() {
            let unclear = self.pending.discard(is_throttled);
            self.add(SweepProgress { unclear, ..SweepProgress::default() });
        } else {
            self.record_cleared(services, Cleared { emptied: true, refused: true }).await?;
        }
        self.pending.record(&services.store, services.clock.now()).await?;
        // A sweep that stopped early while it was being interrupted has ended.
        let cancelled = cancelled && self.ended_early_because.is_none();
        let ended_at = services.clock.now();
        let report = |progress| SweepReport {
            progress,
            ended_early_because: self.ended_early_because,
            cancelled,
            ended_at,
            max_unclear: services.max_unclear,
        };
        let Some(OpenSweep { id, .. }) = &self.sweep else {
            services.brake.evaluate(services.clock.now()).await?;
            return Ok(PartEnd::Whole(report(self.progress)));
        };
        if cancelled && !self.is_ended {
            let progress = self.leave(services, id).await?;
            return Ok(PartEnd::Whole(report(progress)));
        }
        Ok(match self.end(services, id, report).await? {
            SweepState::EndedHere(progress) => PartEnd::Whole(report(progress)),
            SweepState::Open | SweepState::Ended => PartEnd::Part,
        })
    }

    async fn end(
        &self,
        services: &Services,
        sweep: &SweepId,
        report: impl Fn(SweepProgress) -> SweepReport + Clone,
    ) -> Result<SweepState, StoreError> {
        let (store, now) = (&services.store, services.clock.now());
        if self.is_ended {
            return Ok(SweepState::Ended);
        }
        // The planner waits for the end of the sweep, so it sees a whole storm before the first email.
        services.brake.evaluate(now).await?;
        if let Some(reason) = self.ended_early_because {
            return store.stop_sweep(sweep, reason, self.position, self.page, now).await;
        }
        let next_start = self.before_throttled.flatten();
        store.finish_part(sweep, self.page, next_start, move |counts| report(counts).complete(), now).await
    }

    /// The next run continues behind the last member.
    async fn leave(&self, services: &Services, sweep: &SweepId) -> Result<SweepProgress, StoreError> {
        services.store.leave_sweep(sweep, self.page.zip(self.position.last)).await
    }

    /// A quota serves the first members in order and throttles the rest, who come first next time. If nobody was
    /// served, the next sweep skips the members that were tried: they may be the only throttled ones.
    fn continue_behind_the_answered(&mut self) {
        if let Some(place) = self.answered.or(self.sent) {
            self.position = place;
        }
    }
}
