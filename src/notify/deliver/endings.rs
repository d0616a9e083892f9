//! How an attempt ends: what a failure means for the notice, and for the queue behind it.

use super::Deliverer;
use crate::base::backoff;
use crate::base::random;
use crate::credentials::token_provider::CallError;
use crate::domain::{ConnectionId, Time};
use crate::gateway::Verdict;
use crate::mail::{self, SendError, Stage};
use crate::store::{AttemptOutcome, Claim, CredentialFailure, Ending, StoreError};
use chrono::TimeDelta;
use std::time::Duration;

/// What a notice waits for may be over sooner than we were told, so it waits no longer than this at once.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// A step of an attempt either goes on or ends the attempt.
pub(super) type Step<T> = Result<T, End>;

pub(super) enum End {
    With(Ending),
    Broken(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Broken(error)
    }
}

pub(super) fn end(outcome: AttemptOutcome, reason: &'static str, detail: Option<String>) -> End {
    End::With(over(outcome, reason, detail))
}

/// An ending after which nothing is tried again.
pub(super) fn over(outcome: AttemptOutcome, reason: &'static str, detail: Option<String>) -> Ending {
    Ending { outcome, reason, detail, again_at: None }
}

impl Deliverer {
    /// What a refusal of the mail server's means for the notice, and for the queue behind it.
    pub(super) async fn refused(&self, claim: &Claim, error: &SendError) -> Step<(Ending, Option<Duration>)> {
        let detail = Some(error.to_string());
        // Before the recipient is named nothing is said about this mail: the next one would fare alike.
        let unreachable = error.disposition == mail::Disposition::Retry
            && matches!(
                error.stage,
                Stage::Connect | Stage::Tls | Stage::Login | Stage::Sender | Stage::Local
            );
        Ok(match error.disposition {
            mail::Disposition::Abandon => (over(AttemptOutcome::Abandoned, "refused", detail), None),
            mail::Disposition::MaybeSender => {
                (self.unless_it_is_us(claim, None, "refused", detail).await?, None)
            }
            mail::Disposition::Misconfigured => self.queue_waits(claim, "mail_setup_refused", detail),
            mail::Disposition::Retry if unreachable => {
                let replied = error.code.is_some();
                let reason = if replied { "mail_server_busy" } else { "mail_server_unreachable" };
                self.queue_waits(claim, reason, detail)
            }
            mail::Disposition::Retry => {
                let again_at = self.next_try(claim);
                (self.unless_it_is_us(claim, again_at, "too_many_attempts", detail).await?, None)
            }
            mail::Disposition::Indeterminate => {
                // Never abandoned here: the link of a mail that may have arrived must work.
                let again_at = Some(self.next_try_at_last(claim));
                (
                    Ending { outcome: AttemptOutcome::Unconfirmed, reason: "unconfirmed", detail, again_at },
                    None,
                )
            }
        })
    }

    /// Tries again at `again_at`. Without such a time the notice is given up, but only when the server has accepted other
    /// mails since it refused this one: else nobody's mail gets through, and no notice is to blame for that.
    async fn unless_it_is_us(
        &self,
        claim: &Claim,
        again_at: Option<Time>,
        given_up_as: &'static str,
        detail: Option<String>,
    ) -> Step<Ending> {
        let reason = "refused_for_now";
        let again_at = match again_at {
            Some(at) => at,
            None if self.store.others_were_accepted(&claim.notice.id, claim.attempt).await? => {
                return Ok(over(AttemptOutcome::Abandoned, given_up_as, detail));
            }
            None => self.next_try_at_last(claim),
        };
        Ok(Ending { outcome: AttemptOutcome::Retry, reason, detail, again_at: Some(again_at) })
    }

    fn queue_waits(
        &self,
        claim: &Claim,
        reason: &'static str,
        detail: Option<String>,
    ) -> (Ending, Option<Duration>) {
        let wait = backoff::operator_fault_delay(claim.waits + 1, random::jitter());
        (self.waiting(reason, detail, wait), Some(wait))
    }

    fn waiting(&self, reason: &'static str, detail: Option<String>, wait: Duration) -> Ending {
        let again_at = Some(self.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::minutes(30)));
        Ending { outcome: AttemptOutcome::Waiting, reason, detail, again_at }
    }

    fn next_try(&self, claim: &Claim) -> Option<Time> {
        let wait =
            backoff::notice_retry_delay(claim.failures + claim.unconfirmed + 1, random::jitter(), None)?;
        Some(self.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::hours(1)))
    }

    fn next_try_at_last(&self, claim: &Claim) -> Time {
        self.next_try(claim).unwrap_or(self.clock.now() + TimeDelta::hours(12))
    }

    /// No way to reconnect these sources could be verified. The notice is given up only when the same sources work for
    /// other members: else the cause may be ours, such as a host that `gateway.oauth_hosts` lacks.
    pub(super) async fn no_way(
        &self,
        claim: &Claim,
        sources: &[ConnectionId],
        detail: String,
    ) -> Step<Ending> {
        let reason = "no_way_to_reconnect";
        let (member, notice) = (&claim.notice.member_id, &claim.notice.id);
        let detail = Some(detail);
        if let Some(at) = self.next_try(claim) {
            return Ok(Ending { outcome: AttemptOutcome::Retry, reason, detail, again_at: Some(at) });
        }
        for source in sources {
            if !self.store.is_verified_for_others(source, member, notice).await? {
                return Ok(self.wait_for(claim, reason, detail));
            }
        }
        Ok(over(AttemptOutcome::Abandoned, reason, detail))
    }

    /// Something that is not the notice's fault is in the way; the notice waits for it, however long.
    pub(super) fn wait_for(&self, claim: &Claim, reason: &'static str, detail: Option<String>) -> Ending {
        self.waiting(reason, detail, backoff::operator_fault_delay(claim.waits + 1, random::jitter()))
    }

    /// The same, for as long as the gateway asks, up to [`LONGEST_WAIT`].
    pub(super) fn wait(&self, claim: &Claim, reason: &'static str, error: &CallError) -> End {
        let asked = match error {
            CallError::Gateway(error) => match error.verdict() {
                Verdict::Retry { after } => after,
                _ => None,
            },
            _ => None,
        };
        let asked = asked.unwrap_or_default().min(LONGEST_WAIT);
        let wait = backoff::operator_fault_delay(claim.waits + 1, random::jitter()).max(asked);
        End::With(self.waiting(reason, Some(error.to_string()), wait))
    }

    /// The member's credential was refused and is tried again at its own time: until then, the gateway is not asked.
    pub(super) fn wait_for_credential(&self, failure: &CredentialFailure) -> End {
        let left = (failure.retry_at - self.clock.now()).to_std().unwrap_or_default();
        End::With(self.waiting("no_token", Some(failure.reason.clone()), left.min(LONGEST_WAIT)))
    }
}
