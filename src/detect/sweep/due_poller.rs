//! The poll of one member in a sweep, with its waits.

use super::codes::THROTTLED_MEMBER;
use super::outcome::PollOutcome;
use super::polled::Polled;
use super::services::Services;
use crate::domain::Time;
use crate::gateway::Gateway;
use crate::store::{DueMember, SweepPage};
use chrono::TimeDelta;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest wait within a sweep when the gateway asks everyone to wait; for more, the sweep stops.
const MAX_IN_SWEEP_WAIT: Duration = Duration::from_secs(60);
/// The number of shared waits that one member's poll takes part in.
const MAX_WAITS: u32 = 3;
/// Retry times later than this were written while the clock was ahead, and do not count.
const LONGEST_CREDENTIAL_WAIT: TimeDelta = TimeDelta::hours(48);
const LONGEST_THROTTLE: TimeDelta = TimeDelta::hours(2);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct DuePoller {
    pub(super) services: Services,
    pub(super) gateway: Gateway,
    /// Whether to skip members without a stored credential.
    pub(super) needs_token: bool,
}

impl DuePoller {
    /// Polls a member. A panic ends this poll and nothing else. Stops waiting for the gateway when `stop` is cancelled.
    pub(super) async fn poll(
        &self,
        due: DueMember,
        page: Option<SweepPage>,
        stop: &CancellationToken,
    ) -> Polled {
        let outcome = catch_panic(self.outcome(&due, stop)).await.unwrap_or_else(|| {
            tracing::error!(event = "poll_panicked", member_id = %due.id, "polling a member panicked");
            PollOutcome::Unclear { reason: "internal_error", wait: None, failed: true, refusal: None }
        });
        let DueMember { id: member, poll_key, unclear: was_unclear, .. } = due;
        Polled { member, poll_key, page, was_unclear, outcome }
    }

    async fn outcome(&self, due: &DueMember, stop: &CancellationToken) -> PollOutcome {
        if let Some(reason) = self.skip_reason(due) {
            return PollOutcome::Skipped(reason);
        }
        for _ in 0..MAX_WAITS {
            let poll = self.services.poller.poll_due(due).await;
            let failed = poll.result.as_ref().err();
            let error = failed.map(|error| (error.to_string(), error.request_id().map(str::to_owned)));
            let outcome = PollOutcome::of(poll);
            let throttled = matches!(
                outcome,
                PollOutcome::HeldBack { .. } | PollOutcome::Unclear { reason: THROTTLED_MEMBER, .. }
            );
            if throttled && let Some(wait) = self.gateway.shared_wait() {
                if wait > MAX_IN_SWEEP_WAIT {
                    return PollOutcome::HeldBack {
                        sent: !matches!(outcome, PollOutcome::HeldBack { sent: false }),
                    };
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => continue,
                    () = stop.cancelled() => return outcome,
                }
            }
            if let (PollOutcome::Unclear { reason, .. }, Some((error, request_id))) = (&outcome, error) {
                let member_id = &due.id;
                tracing::warn!(
                    event = "member_unclear", %member_id, reason, request_id, error,
                    "no usable response about member"
                );
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
}

/// `None` when the future panics. What it shares with others stays usable: their locks ignore poisoning.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(future).catch_unwind().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_one_poll_and_not_its_worker() {
        let panics = |panics: bool| async move {
            tokio::task::yield_now().await;
            assert!(!panics, "expected in this test");
        };
        assert_eq!(catch_panic(panics(true)).await, None);
        assert_eq!(catch_panic(panics(false)).await, Some(()));
    }
}
