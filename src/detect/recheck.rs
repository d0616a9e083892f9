//! Actor: early polls of single members, after a redemption or to confirm a suspicion.

use crate::base::clock::Clock;
use crate::base::in_progress::InProgress;
use crate::base::telemetry::traces;
use crate::credentials::CallError;
use crate::detect::poll::Poller;
use crate::domain::{Cause, MemberId};
use crate::gateway::Verdict;
use crate::store::{DueRecheck, Purpose, Store, StoreError};
use chrono::TimeDelta;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The longest deferral of one member's rechecks.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

/// Cheap to clone. Clones that work at the same time recheck different members.
#[derive(Clone)]
pub struct Rechecker {
    store: Store,
    poller: Poller,
    clock: Clock,
    after_redemption: Vec<TimeDelta>,
    suspicion_every: TimeDelta,
    in_progress: InProgress<MemberId>,
    /// Only one recheck at a time chooses its member, so that each sees the others' choice.
    choosing: Arc<Mutex<()>>,
}

impl Rechecker {
    /// After a redemption a member is polled `after_redemption`, counted from it; while a suspicion is open,
    /// `suspicion_every`.
    pub fn new(
        store: Store,
        poller: Poller,
        clock: Clock,
        after_redemption: Vec<TimeDelta>,
        suspicion_every: TimeDelta,
    ) -> Self {
        Self {
            store,
            poller,
            clock,
            after_redemption,
            suspicion_every,
            in_progress: InProgress::default(),
            choosing: Arc::default(),
        }
    }

    /// Leaves the members alone whose rechecks by `former` are still in progress.
    #[must_use]
    pub(crate) fn beside(self, former: &Self) -> Self {
        let (in_progress, choosing) = (former.in_progress.clone(), former.choosing.clone());
        Self { in_progress, choosing, ..self }
    }

    /// Makes the early poll that is due first, of a member whose recheck is not in progress. Returns whether one was due.
    ///
    /// # Errors
    /// Only errors of the store. A poll without a usable response is repeated at the next scheduled time.
    pub async fn recheck_one(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let choosing = self.choosing.lock().await;
        let Some(due) = self.store.due_recheck(now, &self.in_progress.keys()).await? else {
            return Ok(false);
        };
        let _in_progress = self.in_progress.begin(due.member_id.clone());
        drop(choosing);
        let Some(member) = self.store.member_to_poll(&due.member_id).await? else {
            // Paused or removed. The first sweep after a pause polls the member anyway.
            self.store.claim_recheck(&due, None).await?;
            return Ok(true);
        };
        let failure = member.credentials.failure;
        // A refused credential is tried again at its own time, and not before.
        if let Some(retry_at) = failure.map(|failure| failure.retry_at).filter(|at| *at > now) {
            self.store.postpone_rechecks(&due.member_id, retry_at.min(now + LONGEST_WAIT)).await?;
            return Ok(true);
        }
        // Deferred before the poll, so that the next recheck takes place even if the process ends during this one.
        if !self.store.claim_recheck(&due, self.next(&due)).await? {
            return Ok(true);
        }
        traces::in_span("recheck", &[("member_id", &due.member_id)], self.poll(&due)).await?;
        Ok(true)
    }

    async fn poll(&self, due: &DueRecheck) -> Result<(), StoreError> {
        let polled = self.poller.poll(&due.member_id, Cause::Recheck).await;
        match polled.inspect_err(|error| traces::record_failure(error.code())) {
            Ok((_, applied)) if applied.turned_empty => {
                traces::record("outcome", "list_empty");
                tracing::warn!(
                    event = "recheck_list_empty", member_id = %due.member_id,
                    "a recheck found the member's list empty: nothing is concluded"
                );
            }
            Ok((_, applied)) => {
                let transitions = applied.transitions.len();
                traces::record("outcome", "answered");
                traces::record_count("transitions", transitions as u64);
                tracing::debug!(member_id = %due.member_id, purpose = ?due.purpose, transitions, "rechecked");
            }
            Err(CallError::Store(error)) => return Err(error),
            Err(error) => {
                traces::record("outcome", "unclear");
                tracing::warn!(
                    event = "recheck_unclear", member_id = %due.member_id, request_id = error.request_id(), %error,
                    "no usable response to a recheck"
                );
                if let Some(wait) = asked_to_wait(&error) {
                    self.store.postpone_rechecks(&due.member_id, self.clock.now() + wait).await?;
                }
            }
        }
        Ok(())
    }

    fn next(&self, due: &DueRecheck) -> Option<crate::domain::Time> {
        let now = self.clock.now();
        match due.purpose {
            Purpose::Suspicion => Some(now + self.suspicion_every),
            // After a time of standstill only the times still to come are kept.
            Purpose::Redemption => {
                self.after_redemption.iter().map(|after| due.since + *after).find(|at| *at > now)
            }
        }
    }
}

/// How long the gateway asks to be left alone (`Retry-After`), up to [`LONGEST_WAIT`].
fn asked_to_wait(error: &CallError) -> Option<TimeDelta> {
    let CallError::Gateway(error) = error else { return None };
    let Verdict::Retry { after } = error.verdict() else { return None };
    after.map(|after| TimeDelta::from_std(after).map_or(LONGEST_WAIT, |after| after.min(LONGEST_WAIT)))
}
