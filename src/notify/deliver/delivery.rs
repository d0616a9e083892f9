//! One delivery, step by step.

use super::deliverer::{Delivered, Deliverer};
use super::domain_shares::Share;
use super::outcome::{Abort, Step, abort_with, final_result};
use super::queue_gate::Pass;
use crate::base::telemetry::metrics;
use crate::credentials::CallError;
use crate::domain::{Cause, Member, NoticeKind, NoticeReason};
use crate::store::{AttemptOutcome, AttemptResult, Claim, StoreError};
use chrono::TimeDelta;
use std::time::Duration;

/// How long a claim is valid. An attempt that takes longer stores no link and therefore sends nothing. The slowest
/// permitted mail server needs half of it.
const LEASE: TimeDelta = TimeDelta::hours(1);
/// Each attempt with an unknown outcome may have delivered the email, so there are at most this many.
const MAX_UNKNOWN_OUTCOMES: u32 = 4;

impl Deliverer {
    /// Delivers the notice that is due first.
    ///
    /// # Errors
    /// Only errors of the store. Every other failure is a result of the attempt, and a row.
    pub async fn deliver_one(&self) -> Result<Delivered, StoreError> {
        if let Some(since) = self.gate.closed_since()
            && self.store.is_retry_requested_after(since).await?
        {
            self.gate.end_pause();
        }
        let pass = match self.gate.enter(self.clock.now()) {
            Ok(pass) => pass,
            Err(wait) => return Ok(Delivered::QueuePaused(wait)),
        };
        let Some((claim, _share)) = self.claim().await? else { return Ok(Delivered::Nothing) };
        let _in_progress = self.in_progress.begin(claim.notice.id.clone());
        let (result, pause) = match self.attempt(&claim, &pass).await {
            Ok(finished) => finished,
            Err(Abort::With(result)) => (*result, None),
            Err(Abort::Store(error)) => return Err(error),
        };
        if !self.record(&claim, &result).await? {
            tracing::error!(notice = %claim.notice.id, "delivery lease expired; the notice will be retried");
        }
        metrics::count_notice(result.outcome.as_str());
        let (member, notice, attempt) = (&claim.notice.member_id, &claim.notice.id, claim.attempt);
        let (outcome, reason, detail) = (result.outcome.as_str(), result.reason.as_str(), result.detail);
        if result.outcome == AttemptOutcome::Abandoned || pause.is_some() {
            tracing::warn!(%member, %notice, attempt, outcome, reason, detail, "delivery attempt failed");
        } else {
            tracing::info!(%member, %notice, attempt, outcome, reason, detail, "delivery attempt finished");
        }
        Ok(pause.map_or(Delivered::One(result.outcome), Delivered::QueuePaused))
    }

    /// Queues the notices again whose lease expired, except those that this process still delivers. Returns their number.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn rescue_expired_leases(&self) -> Result<u64, StoreError> {
        let rescued = self.store.rescue_expired_leases(self.clock.now(), &self.in_progress.keys()).await?;
        if rescued > 0 {
            tracing::warn!(notices = rescued, "rescued interrupted deliveries");
        }
        Ok(rescued)
    }

    /// Claims the notice that is due first, unless its recipient's domain holds more than its share of the connections.
    async fn claim(&self) -> Result<Option<(Claim, Share)>, StoreError> {
        let _choosing = self.shares.choosing.lock().await;
        let now = self.clock.now();
        for except in [self.shares.at_quarter(), self.shares.at_half()] {
            if let Some(claim) = self.store.claim_notice(now, now + LEASE, &except).await? {
                let share = self.shares.begin(claim.domain.clone());
                return Ok(Some((claim, share)));
            }
            if except.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    /// The member, if an email may be sent now.
    pub(super) async fn recipient(&self, claim: &Claim) -> Step<Member> {
        let cancel = |reason| Err(abort_with(AttemptOutcome::Cancelled, reason));
        let Some(member) = self.store.member(&claim.notice.member_id).await? else {
            return cancel(NoticeReason::MemberRemoved);
        };
        if member.paused {
            return cancel(NoticeReason::Paused);
        }
        if self.store.is_suppressed(&member.id).await? {
            return cancel(NoticeReason::Suppressed);
        }
        Ok(member)
    }

    /// The result, and how long the queue stays closed when the cause affects every notice.
    async fn attempt(&self, claim: &Claim, pass: &Pass) -> Step<(AttemptResult, Option<Duration>)> {
        if claim.unknown_outcomes >= MAX_UNKNOWN_OUTCOMES {
            return Err(abort_with(AttemptOutcome::Abandoned, NoticeReason::NeverConfirmed));
        }
        let member = self.recipient(claim).await?;
        let credentials = match self.tokens.credentials(&member.id).await {
            Ok(credentials) => credentials,
            Err(error) => return Err(self.defer_for(claim, NoticeReason::TokenUnavailable, &error)),
        };
        if let Some(failure) = credentials.failure.filter(|failure| failure.retry_at > self.clock.now()) {
            return Err(self.defer_for_credential(&failure));
        }
        self.second_look(claim, &member).await?;
        // Wait before the link is stored: an attempt that is interrupted while it waits has handed nothing over.
        self.transport.wait_for_rate_limit().await;
        // An operator may have changed the address or suppressed it in the meantime.
        let member = self.recipient(claim).await?;
        let (email, included) = match claim.notice.kind {
            NoticeKind::Reconnect => self.reconnect(claim, &member).await?,
            NoticeKind::Invited => (self.invitation(claim, &member).await?, Vec::new()),
            NoticeKind::Recovered => self.recovery(claim, &member).await?,
        };
        match self.transport.send(&email).await {
            Ok(accepted) => {
                if pass.accepted() {
                    self.wake.notify_waiters();
                }
                let detail = Some(accepted.reply).filter(|reply| !reply.is_empty());
                let result = final_result(AttemptOutcome::Sent, NoticeReason::Accepted, detail);
                Ok((AttemptResult { included, ..result }, None))
            }
            Err(error) => self.send_failure(claim, pass, &error).await,
        }
    }

    /// Polls the gateway again just before sending, so that a recovered connection's lapse closes first.
    async fn second_look(&self, claim: &Claim, member: &Member) -> Step<()> {
        let unclear = NoticeReason::SecondLookUnclear;
        match self.poller.poll(&member.id, Cause::SecondLook).await {
            Ok((_, applied)) if applied.turned_empty => {
                let detail = "the member's connection list became empty".to_owned();
                Err(self.defer(claim, unclear, Some(detail)))
            }
            Ok(_) => Ok(()),
            Err(CallError::Store(error)) => Err(Abort::Store(error)),
            Err(error) => Err(self.defer_for(claim, unclear, &error)),
        }
    }
}
