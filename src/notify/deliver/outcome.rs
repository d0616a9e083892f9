//! The result of an attempt: what a failure means for the notice and for the queue behind it.

use super::deliverer::Deliverer;
use super::queue_gate::Pass;
use crate::base::{backoff, random};
use crate::credentials::CallError;
use crate::domain::{ConnectionId, NoticeReason, Time};
use crate::gateway::Verdict;
use crate::mail::{self, BadAddress, SendError, Stage};
use crate::store::{AttemptOutcome, AttemptResult, Claim, CredentialFailure, StoreError};
use chrono::TimeDelta;
use std::time::Duration;

/// The longest wait before a deferred notice is tried again, even if the gateway asks for more.
const MAX_DEFERRAL: Duration = Duration::from_secs(60 * 60);

/// Attempts for which the gateway may refuse an OAuth URL: about a day.
const MAX_OAUTH_URL_REFUSALS: u32 = 7;

/// What follows from an attempt beside its result.
pub(super) enum Consequence {
    Nothing,
    /// The cause affects every notice: the queue stays closed for so long.
    PauseQueue(Duration),
    /// The mail server rejected the address permanently.
    SuppressAddress,
}

/// One step of an attempt. An error ends the attempt.
pub(super) type Step<T> = Result<T, Abort>;

pub(super) enum Abort {
    With(Box<AttemptResult>),
    /// A gate deferred the notice, or a hold covers it. It is stored already that it waits, and the attempt does not count.
    PutBack {
        until: Option<Time>,
        reason: NoticeReason,
    },
    Store(StoreError),
}

impl Abort {
    /// `None` for an error of the store.
    pub(super) fn reason(&self) -> Option<NoticeReason> {
        match self {
            Self::With(result) => Some(result.reason),
            Self::PutBack { reason, .. } => Some(*reason),
            Self::Store(_) => None,
        }
    }
}

impl From<StoreError> for Abort {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(super) fn abort_with(outcome: AttemptOutcome, reason: NoticeReason) -> Abort {
    Abort::With(Box::new(final_result(outcome, reason, None)))
}

/// A result after which the notice is not tried again.
pub(super) fn final_result(
    outcome: AttemptOutcome,
    reason: NoticeReason,
    detail: Option<String>,
) -> AttemptResult {
    AttemptResult { outcome, reason, detail, retry_at: None, included: Vec::new(), left_out: Vec::new() }
}

impl Deliverer {
    /// The result of a failed send, and what follows from it.
    pub(super) async fn send_failure(
        &self,
        claim: &Claim,
        pass: &Pass,
        error: &SendError,
    ) -> Step<(AttemptResult, Consequence)> {
        let detail = Some(error.to_string());
        // Before the server knows the recipient, a failure is not about this notice.
        let is_unreachable = error.disposition == mail::Disposition::Retry
            && matches!(
                error.stage,
                Stage::Connect | Stage::Tls | Stage::Login | Stage::Sender | Stage::Local
            );
        let permanent = NoticeReason::PermanentFailure;
        Ok(match error.disposition {
            mail::Disposition::Abandon => {
                let is_bad = match error.bad_address() {
                    Some(BadAddress::Stated) => true,
                    Some(BadAddress::Implied) => !pass.is_rejecting_all_recipients(),
                    None => false,
                };
                let consequence = if is_bad { Consequence::SuppressAddress } else { Consequence::Nothing };
                (final_result(AttemptOutcome::Abandoned, permanent, detail), consequence)
            }
            mail::Disposition::MaybeSender => (
                self.abandon_unless_server_rejects_all(claim, permanent, detail).await?,
                Consequence::Nothing,
            ),
            mail::Disposition::Misconfigured => {
                self.close_queue(pass, NoticeReason::SmtpMisconfigured, detail)
            }
            mail::Disposition::Retry if is_unreachable => {
                let has_replied = error.code.is_some();
                let reason = if has_replied {
                    NoticeReason::MailServerBusy
                } else {
                    NoticeReason::MailServerUnreachable
                };
                self.close_queue(pass, reason, detail)
            }
            mail::Disposition::Retry if self.is_server_rejecting_everything(claim, pass, error).await? => {
                self.close_queue(pass, NoticeReason::MailServerBusy, detail)
            }
            mail::Disposition::Retry => (self.retry_or_abandon(claim, detail).await?, Consequence::Nothing),
            // Never abandoned here: the email may have arrived, and then its link must work.
            mail::Disposition::Indeterminate => (self.outcome_unknown(claim, detail), Consequence::Nothing),
        })
    }

    /// The notice may have arrived.
    pub(super) fn outcome_unknown(&self, claim: &Claim, detail: Option<String>) -> AttemptResult {
        AttemptResult {
            outcome: AttemptOutcome::Unknown,
            reason: NoticeReason::OutcomeUnknown,
            detail,
            retry_at: Some(self.next_retry_or_max(claim)),
            included: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(super) async fn retry_or_abandon(
        &self,
        claim: &Claim,
        detail: Option<String>,
    ) -> Step<AttemptResult> {
        match self.next_retry(claim) {
            Some(at) => Ok(retry(at, detail)),
            None => {
                let exhausted = NoticeReason::AttemptsExhausted;
                self.abandon_unless_server_rejects_all(claim, exhausted, detail).await
            }
        }
    }

    /// Whether the receiver of events has confirmed other notices since it first refused this one, or may still do so.
    pub(super) async fn is_receiver_confirming_others(&self, claim: &Claim, pass: &Pass) -> Step<bool> {
        Ok(self.store.server_accepted_others_since(&claim.notice.id, claim.attempt).await?
            || !pass.is_rejecting_everything())
    }

    /// Abandons the notice only if the server has accepted other email since the first failure. Otherwise the server
    /// rejects everything, and the notice is retried.
    pub(super) async fn abandon_unless_server_rejects_all(
        &self,
        claim: &Claim,
        reason: NoticeReason,
        detail: Option<String>,
    ) -> Step<AttemptResult> {
        if self.store.server_accepted_others_since(&claim.notice.id, claim.attempt).await? {
            return Ok(final_result(AttemptOutcome::Abandoned, reason, detail));
        }
        Ok(retry(self.next_retry_or_max(claim), detail))
    }

    /// Whether a transient rejection is the server's, not this recipient's. It is the recipient's if the server has
    /// accepted other emails since it first rejected this one.
    async fn is_server_rejecting_everything(
        &self,
        claim: &Claim,
        pass: &Pass,
        error: &SendError,
    ) -> Step<bool> {
        Ok(error.is_transient_rejection()
            && !self.store.server_accepted_others_since(&claim.notice.id, claim.attempt).await?
            && pass.is_rejecting_everything())
    }

    pub(super) fn close_queue(
        &self,
        pass: &Pass,
        reason: NoticeReason,
        detail: Option<String>,
    ) -> (AttemptResult, Consequence) {
        let now = self.clock.now();
        let pause = (pass.close(now, random::jitter()) - now).to_std().unwrap_or_default();
        (self.deferred(reason, detail, pause), Consequence::PauseQueue(pause))
    }

    fn deferred(&self, reason: NoticeReason, detail: Option<String>, wait: Duration) -> AttemptResult {
        let retry_at = self.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::minutes(30));
        AttemptResult {
            outcome: AttemptOutcome::Deferred,
            reason,
            detail,
            retry_at: Some(retry_at),
            included: Vec::new(),
            left_out: Vec::new(),
        }
    }

    fn next_retry(&self, claim: &Claim) -> Option<Time> {
        let attempts = claim.failures + claim.unknown_outcomes + 1;
        let wait = backoff::notice_retry_delay(attempts, random::jitter(), None)?;
        Some(self.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::hours(1)))
    }

    fn next_retry_or_max(&self, claim: &Claim) -> Time {
        self.next_retry(claim).unwrap_or(self.clock.now() + TimeDelta::hours(12))
    }

    /// The gateway refused an OAuth URL for all `sources`. The notice is abandoned only if the same sources work for
    /// other members. Otherwise the cause may be the configuration, such as a host missing in `gateway.oauth_hosts`.
    pub(super) async fn oauth_url_refused(
        &self,
        claim: &Claim,
        sources: &[ConnectionId],
        detail: String,
    ) -> Step<Abort> {
        let reason = NoticeReason::OauthUrlRefused;
        let (member, notice) = (&claim.notice.member_id, &claim.notice.id);
        if let Some(at) = self.next_retry(claim).filter(|_| claim.failures < MAX_OAUTH_URL_REFUSALS) {
            let result = AttemptResult { reason, ..retry(at, Some(detail)) };
            return Ok(Abort::With(Box::new(result)));
        }
        for source in sources {
            if !self.store.is_verified_for_others(source, member, notice).await? {
                return Ok(self.defer(claim, reason, Some(detail)));
            }
        }
        Ok(Abort::With(Box::new(final_result(AttemptOutcome::Abandoned, reason, Some(detail)))))
    }

    /// Defers the notice for a cause outside of it. There is no limit to the number of deferrals.
    pub(super) fn defer(&self, claim: &Claim, reason: NoticeReason, detail: Option<String>) -> Abort {
        Abort::With(Box::new(self.deferred(reason, detail, deferral(claim))))
    }

    /// Another delivery closed the queue meanwhile.
    pub(super) fn defer_until(&self, until: Time) -> Abort {
        let wait = (until - self.clock.now()).to_std().unwrap_or_default();
        Abort::With(Box::new(self.deferred(NoticeReason::MailServerUnreachable, None, wait)))
    }

    /// The address changed since the email was rendered: the next attempt renders it again.
    pub(super) fn address_changed(&self) -> Abort {
        Abort::With(Box::new(self.deferred(NoticeReason::AddressChanged, None, Duration::ZERO)))
    }

    /// Defers the notice at least as long as the gateway asks, up to [`MAX_DEFERRAL`].
    pub(super) fn defer_for(&self, claim: &Claim, reason: NoticeReason, error: &CallError) -> Abort {
        let retry_after = match error {
            CallError::Gateway(error) => match error.verdict() {
                Verdict::Retry { after } => after,
                _ => None,
            },
            _ => None,
        };
        let wait = deferral(claim).max(retry_after.unwrap_or_default().min(MAX_DEFERRAL));
        Abort::With(Box::new(self.deferred(reason, Some(error.to_string()), wait)))
    }

    /// Defers the notice until the member's refused credential is tried again, without a call to the gateway.
    pub(super) fn defer_for_credential(&self, failure: &CredentialFailure) -> Abort {
        let wait = (failure.retry_at - self.clock.now()).to_std().unwrap_or_default().min(MAX_DEFERRAL);
        let detail = Some(failure.reason.clone());
        Abort::With(Box::new(self.deferred(NoticeReason::TokenUnavailable, detail, wait)))
    }
}

fn retry(at: Time, detail: Option<String>) -> AttemptResult {
    AttemptResult {
        outcome: AttemptOutcome::Retry,
        reason: NoticeReason::TransientFailure,
        detail,
        retry_at: Some(at),
        included: Vec::new(),
        left_out: Vec::new(),
    }
}

fn deferral(claim: &Claim) -> Duration {
    backoff::operator_fault_delay(claim.deferrals + 1, random::jitter())
}
