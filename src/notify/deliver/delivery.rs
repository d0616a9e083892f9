//! A delivery, step by step.

use super::deliverer::{Delivered, Deliverer};
use super::domain_shares::Share;
use super::outcome::{Abort, Consequence, Step, abort_with, final_result};
use super::queue_gate::Pass;
use super::ready::{LeftOut, Ready};
use crate::base::in_progress::InProgressGuard;
use crate::base::instances::Term;
use crate::base::telemetry::{metrics, traces};
use crate::credentials::CallError;
use crate::domain::{Member, MemberId, Notice, NoticeId, NoticeKind, NoticeReason};
use crate::store::{AttemptOutcome, AttemptResult, Claim, DELIVERY_LEASE, DueMember, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Each attempt with an unknown outcome may have delivered the email, so there are at most this many.
const MAX_UNKNOWN_OUTCOMES: u32 = 4;

/// How soon a delivery asks again while this instance must not send.
const OBSTACLE: Duration = Duration::from_secs(1);

/// What a claim found.
pub(super) enum Due {
    Claimed(Vec<Claimed>),
    /// The mail server cannot be used. Ask again after this long.
    QueuePaused(Duration),
}

/// A claimed notice that waits for its delivery.
pub(super) struct Claimed {
    claim: Claim,
    term: Term,
    pass: Arc<Pass>,
    _share: Share,
    _in_progress: InProgressGuard<NoticeId>,
}

impl Deliverer {
    /// Delivers the notice that is due first.
    ///
    /// # Errors
    /// Only errors of the store. Every other failure is a result of the attempt, and a row.
    pub async fn deliver_one(&self) -> Result<Delivered, StoreError> {
        match self.claim_due(1).await? {
            Due::QueuePaused(wait) => Ok(Delivered::QueuePaused(wait)),
            Due::Claimed(mut claimed) => match claimed.pop() {
                Some(claimed) => self.deliver(claimed).await,
                None => Ok(Delivered::Nothing),
            },
        }
    }

    /// Claims the notices that are due first, up to `slots`, unless their recipients' domains hold more than their share.
    /// A closed queue is probed by one notice.
    pub(super) async fn claim_due(&self, slots: usize) -> Result<Due, StoreError> {
        if self.instances.may_send().is_err() {
            return Ok(Due::QueuePaused(OBSTACLE));
        }
        if let Some(since) = self.gate.closed_since()
            && self.store.is_retry_requested_after(since).await?
        {
            self.gate.end_pause();
        }
        let pass = match self.gate.enter(self.clock.now()) {
            Ok(pass) => Arc::new(pass),
            Err(wait) => return Ok(Due::QueuePaused(wait)),
        };
        let _claiming = self.shares.claiming.lock().await;
        let term = self.instances.term();
        let (now, slots) = (self.clock.now(), if pass.is_probe() { 1 } else { slots });
        let claims = self.store.claim_notices(now, now + DELIVERY_LEASE, &self.shares.limits(slots)).await?;
        let claimed = claims.into_iter().map(|claim| Claimed {
            term: term.clone(),
            pass: pass.clone(),
            _share: self.shares.begin(claim.domain.clone()),
            _in_progress: self.in_progress.begin(claim.notice.id.clone()),
            claim,
        });
        Ok(Due::Claimed(claimed.collect()))
    }

    /// Makes one attempt at a claimed notice, and records its result.
    pub(super) async fn deliver(&self, claimed: Claimed) -> Result<Delivered, StoreError> {
        let Claimed { claim, term, pass, .. } = &claimed;
        let (notice, member, attempt) = (&claim.notice.id, &claim.notice.member_id, claim.attempt);
        let attributes: [traces::Attribute<'_>; 3] =
            [("notice_id", notice), ("member_id", member), ("attempt", &attempt)];
        traces::in_span("delivery", &attributes, async {
            let delivered = self.deliver_claimed(claim, term, pass).await;
            delivered.inspect_err(|error| traces::record_failure(error.code()))
        })
        .await
    }

    async fn deliver_claimed(
        &self,
        claim: &Claim,
        term: &Term,
        pass: &Pass,
    ) -> Result<Delivered, StoreError> {
        let (result, consequence) = match self.attempt(claim, term, pass).await {
            Ok(finished) => finished,
            Err(Abort::With(result)) => (*result, Consequence::Nothing),
            Err(Abort::PutBack { until, reason }) => {
                let (member, notice, reason) = (&claim.notice.member_id, &claim.notice.id, reason.as_str());
                traces::record("outcome", AttemptOutcome::Deferred.as_str());
                traces::record("reason", reason);
                tracing::info!(
                    event = "notice_deferred", member_id = %member, notice_id = %notice, reason, ?until,
                    "notice deferred"
                );
                return Ok(Delivered::One(AttemptOutcome::Deferred));
            }
            Err(Abort::Store(error)) => return Err(error),
        };
        let is_recorded = match consequence {
            Consequence::SuppressAddress => self.record_rejection(claim, &result).await?,
            Consequence::Nothing | Consequence::PauseQueue(_) => self.record(claim, &result).await?,
        };
        let pause = match consequence {
            Consequence::PauseQueue(pause) => Some(pause),
            Consequence::Nothing | Consequence::SuppressAddress => None,
        };
        if !is_recorded {
            tracing::error!(
                event = "delivery_lease_expired", notice_id = %claim.notice.id,
                "delivery lease expired; the notice will be retried"
            );
        }
        metrics::count_notice(result.outcome.as_str());
        traces::record("outcome", result.outcome.as_str());
        traces::record("reason", result.reason.as_str());
        if pause.is_some() || is_failure(result.outcome) {
            traces::record_failure(result.reason.as_str());
        }
        let (member, notice, attempt) = (&claim.notice.member_id, &claim.notice.id, claim.attempt);
        let (outcome, reason, detail) = (result.outcome.as_str(), result.reason.as_str(), result.detail);
        if result.outcome == AttemptOutcome::Abandoned || pause.is_some() {
            tracing::warn!(
                event = "delivery_failed", member_id = %member, notice_id = %notice, attempt, outcome, reason,
                detail,
                "delivery attempt failed"
            );
        } else {
            tracing::info!(
                event = "delivery_finished", member_id = %member, notice_id = %notice, attempt, outcome,
                reason, detail,
                "delivery attempt finished"
            );
        }
        if result.outcome == AttemptOutcome::Sent {
            self.record_delay(&claim.notice).await?;
        }
        Ok(pause.map_or(Delivered::One(result.outcome), Delivered::QueuePaused))
    }

    /// Records how long after the opening of its lapses a first email was sent.
    async fn record_delay(&self, notice: &Notice) -> Result<(), StoreError> {
        if notice.kind != NoticeKind::Reconnect || notice.step > 0 {
            return Ok(());
        }
        let first = notice.items.iter().filter(|item| item.step == 0);
        let lapses: Vec<_> = first.map(|item| &item.lapse_id).collect();
        let now = self.clock.now();
        for opened_at in self.store.lapse_openings(&lapses).await? {
            metrics::record_email_delay(now - opened_at);
        }
        Ok(())
    }

    /// Queues the notices again whose lease expired, except those that this process still delivers. Returns their number.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn rescue_expired_leases(&self) -> Result<u64, StoreError> {
        let rescued = self.store.rescue_expired_leases(self.clock.now(), &self.in_progress.keys()).await?;
        if rescued > 0 {
            tracing::warn!(event = "deliveries_rescued", notices = rescued, "rescued interrupted deliveries");
        }
        Ok(rescued)
    }

    /// Queues the notices again whose delivery ended without a result, because the database failed. Returns their number.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn rescue_abandoned(&self) -> Result<u64, StoreError> {
        // What is claimed meanwhile is not in progress yet.
        let _claiming = self.shares.claiming.lock().await;
        let rescued = self.store.rescue_own(self.clock.now(), &self.in_progress.keys()).await?;
        if rescued > 0 {
            tracing::warn!(
                event = "deliveries_rescued",
                notices = rescued,
                "queued notices again whose delivery ended without a result"
            );
        }
        Ok(rescued)
    }

    /// The member, if an email may be sent now.
    pub(super) async fn recipient(&self, member: &MemberId) -> Step<Member> {
        permitted(self.store.recipient(member).await?)
    }

    /// Polls the gateway again for one member, if an email may be sent.
    async fn look(&self, claim: &Claim, member: &MemberId) -> Step<MemberId> {
        let (due, recipient) = self.store.recipient_to_poll(member).await?;
        permitted(recipient)?;
        let Some(due) = due else {
            // A pause that has just ended. The planner plans the step again.
            return Err(abort_with(AttemptOutcome::Cancelled, NoticeReason::Paused));
        };
        let failure = due.credentials.failure.as_ref();
        if let Some(failure) = failure.filter(|failure| failure.retry_at > self.clock.now()) {
            return Err(self.defer_for_credential(failure));
        }
        self.second_look(claim, &due).await?;
        Ok(member.clone())
    }

    /// The result, and what follows from it.
    async fn attempt(&self, claim: &Claim, term: &Term, pass: &Pass) -> Step<(AttemptResult, Consequence)> {
        // A receiver of events recognizes a repeated one.
        if claim.unknown_outcomes >= MAX_UNKNOWN_OUTCOMES && self.receiver.is_none() {
            return Err(abort_with(AttemptOutcome::Abandoned, NoticeReason::NeverConfirmed));
        }
        let mut left_out = LeftOut::new();
        let mut ready = Ready::default();
        for member in members(claim) {
            ready.add(&member, self.look(claim, &member).await)?;
        }
        let ready = ready.members(&mut left_out)?;
        // Wait before the link is stored: an attempt that is interrupted while it waits has handed nothing over.
        if self.receiver.is_none() {
            self.transport.wait_for_rate_limit().await;
        }
        // An operator may have changed the address or suppressed it in the meantime.
        let mut recipients = Ready::default();
        for member in ready {
            recipients.add(&member, self.recipient(&member).await)?;
        }
        let recipients = recipients.members(&mut left_out)?;
        let draft = match claim.notice.kind {
            NoticeKind::Reconnect => self.draft_reconnect(claim, recipients, &mut left_out).await?,
            NoticeKind::Invited => self.draft_invitation(claim, recipients).await?,
            NoticeKind::Recovered => self.draft_recovery(claim, recipients).await?,
        };
        let _session = self.sessions.acquire(&claim.domain).await;
        if let Some(until) = pass.closed_until() {
            return Err(self.defer_until(until));
        }
        if let Some(receiver) = &self.receiver {
            return self.post(claim, term, pass, draft, left_out, receiver).await;
        }
        let (email, included) = self.prepare(claim, draft).await?;
        let handover = async {
            let sent = self.transport.send_within(term, &email).await;
            sent.inspect_err(|error| traces::record_failure(error.stage.as_str()))
        };
        match traces::in_child_span("handover", &[], handover).await {
            Ok(accepted) => {
                if pass.accepted() {
                    self.wake.notify_waiters();
                }
                let detail = Some(accepted.reply).filter(|reply| !reply.is_empty());
                let result = final_result(AttemptOutcome::Sent, NoticeReason::Accepted, detail);
                Ok((AttemptResult { included, left_out, ..result }, Consequence::Nothing))
            }
            Err(error) => self.send_failure(claim, pass, &error).await,
        }
    }

    /// Polls the gateway again just before sending, so that a recovered connection's lapse closes first.
    async fn second_look(&self, claim: &Claim, member: &DueMember) -> Step<()> {
        let unclear = NoticeReason::SecondLookUnclear;
        let look = async {
            let seen = self.poller.look_again(member).await;
            seen.inspect_err(|error| traces::record_failure(error.code()))
        };
        match traces::in_child_span("second_look", &[("member_id", &member.id)], look).await {
            Ok(applied) if applied.turned_empty => {
                let detail = "the member's connection list became empty".to_owned();
                Err(self.defer(claim, unclear, Some(detail)))
            }
            Ok(_) => Ok(()),
            Err(CallError::Store(error)) => Err(Abort::Store(error)),
            Err(error) => Err(self.defer_for(claim, unclear, &error)),
        }
    }
}

/// The member with this row, if an email may be sent now.
fn permitted(recipient: Option<(Member, bool)>) -> Step<Member> {
    let cancel = |reason| Err(abort_with(AttemptOutcome::Cancelled, reason));
    let Some((member, is_suppressed)) = recipient else { return cancel(NoticeReason::MemberRemoved) };
    if member.paused {
        return cancel(NoticeReason::Paused);
    }
    if is_suppressed {
        return cancel(NoticeReason::Suppressed);
    }
    Ok(member)
}

fn is_failure(outcome: AttemptOutcome) -> bool {
    matches!(outcome, AttemptOutcome::Abandoned | AttemptOutcome::Retry | AttemptOutcome::Unknown)
}

/// Those whom the notice is about, in the order of their ids.
fn members(claim: &Claim) -> BTreeSet<MemberId> {
    let members: BTreeSet<_> = claim.notice.items.iter().map(|item| item.member_id.clone()).collect();
    if members.is_empty() { BTreeSet::from([claim.notice.member_id.clone()]) } else { members }
}
