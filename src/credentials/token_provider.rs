//! Turns a member's credential into an access token, and makes calls with it.
//!
//! Access tokens stay sealed in the database while they are valid, so that neither a sweep nor a restart requests new
//! ones. One refresh at a time runs for a member, across all processes.
//!
//! A rejected credential is returned, not recorded. Only the other members of the sweep show whether the member or the
//! gateway is at fault. The sweep then calls [`TokenProvider::reject`].

use super::error::{CallError, Refusal};
use super::keyring::{Keyring, SealedField};
use super::pending_refreshes::PendingRefreshes;
use super::refresh::{LEASE, Progress, Refresher, Token};
use super::renewals::Renewals;
use crate::base::backoff;
use crate::base::clock::Clock;
use crate::base::config::AuthMode;
use crate::base::telemetry::traces;
use crate::domain::{AccessToken, MemberId, Sealed, Time};
use crate::gateway::{Gateway, GatewayError, Verdict};
use crate::store::{
    CredentialFailure, INTERACTIVE_WAIT, RefreshBatches, RefreshLease, Store, StoreError, StoredCredentials,
    StoredToken,
};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// A caller waits up to a minute for another's refresh.
const WAIT_POLL: Duration = Duration::from_millis(50);
const MAX_WAIT_POLLS: u32 = 1_200;

/// Whether a call needed a refresh, and its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The stored token was valid.
    NotNeeded,
    /// The gateway issued a new token.
    Granted,
    /// The gateway rejected the credential.
    Refused,
    /// The request failed for another reason.
    Failed,
}

/// Calls the gateway as a member. Cheap to clone.
#[derive(Clone)]
pub struct TokenProvider {
    /// For everything but a refresh in flight, whose tokens must be stored however long that takes.
    store: Store,
    refresher: Refresher,
    /// The refreshes in flight.
    refreshes: TaskTracker,
    pending: PendingRefreshes,
}

impl TokenProvider {
    /// At most `max_renewals` are in flight while the gateway rotates refresh tokens.
    pub fn new(
        store: Store,
        gateway: Gateway,
        keyring: Arc<Keyring>,
        clock: Clock,
        mode: AuthMode,
        max_renewals: usize,
    ) -> Self {
        let renewals = Renewals::new(max_renewals);
        let batches = RefreshBatches::default();
        let refresher = Refresher { store: store.clone(), gateway, keyring, clock, mode, renewals, batches };
        Self { store, refresher, refreshes: TaskTracker::new(), pending: PendingRefreshes::default() }
    }

    /// A provider for another configuration, which knows the refreshes that are in flight. With `keeps_renewals`, it also
    /// knows whether the gateway rotates refresh tokens.
    #[must_use]
    pub(crate) fn succeeded_by(&self, successor: Self, keeps_renewals: bool) -> Self {
        let Self { store, mut refresher, .. } = successor;
        if keeps_renewals {
            refresher.renewals = self.refresher.renewals.clone();
        }
        Self { store, refresher, refreshes: self.refreshes.clone(), pending: self.pending.clone() }
    }

    /// A provider for calls that a person waits for.
    #[must_use]
    pub(crate) fn interactive(&self) -> Self {
        let gateway = self.refresher.gateway.interactive();
        let refresher = Refresher { gateway, ..self.refresher.clone() };
        Self { store: self.store.interactive(), refresher, ..self.clone() }
    }

    /// Waits for the refreshes in flight: rotated tokens must be stored before the process ends.
    pub(crate) async fn drain(&self) {
        self.refreshes.close();
        self.refreshes.wait().await;
        self.refreshes.reopen();
    }

    /// Makes a call as `member`. When the gateway no longer accepts the stored token, the call is made once more with a
    /// new one.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call_as<T, F, Fut>(
        &self,
        member: &MemberId,
        credentials: &StoredCredentials,
        call: F,
    ) -> Result<T, CallError>
    where
        F: Fn(AccessToken) -> Fut,
        Fut: Future<Output = Result<T, GatewayError>>,
    {
        self.call_as_reporting(member, credentials, call).await.0
    }

    /// Like [`TokenProvider::call_as`], and reports whether a refresh was needed.
    pub(crate) async fn call_as_reporting<T, F, Fut>(
        &self,
        member: &MemberId,
        credentials: &StoredCredentials,
        call: F,
    ) -> (Result<T, CallError>, Refresh)
    where
        F: Fn(AccessToken) -> Fut,
        Fut: Future<Output = Result<T, GatewayError>>,
    {
        let first = match self.token(member, credentials, None).await {
            Ok(token) => token,
            Err(error) => return failed(error),
        };
        let mut refresh = if first.refreshed { Refresh::Granted } else { Refresh::NotNeeded };
        let retry = async {
            self.store.drop_access_token(member, &first.sealed).await?;
            let credentials = self.credentials(member).await?;
            self.token(member, &credentials, Some(&first.sealed)).await
        };
        let result = match call(first.token.clone()).await {
            Err(error) if error.verdict() == Verdict::Unauthorized => match retry.await {
                Ok(second) => {
                    refresh = Refresh::Granted;
                    // A rejection of the token that was just issued proves nothing.
                    call(second.token).await.map_err(CallError::from)
                }
                Err(error) => return failed(error),
            },
            other => other.map_err(CallError::from),
        };
        (result, refresh)
    }

    /// Gets a new access token for `member`, even if the stored one is still valid.
    ///
    /// # Errors
    /// Like [`TokenProvider::call_as`].
    pub(crate) async fn refresh_now(&self, member: &MemberId) -> Result<(), CallError> {
        let credentials = self.credentials(member).await?;
        let stored = credentials.access.as_ref().map(|stored| stored.sealed.clone());
        self.token(member, &StoredCredentials { access: None, ..credentials }, stored.as_ref())
            .await
            .map(drop)
    }

    /// Whether no key of the key ring opens the member's refresh token.
    pub(crate) fn is_locked(&self, member: &MemberId, credentials: &StoredCredentials) -> bool {
        self.refresher.is_locked(member, credentials)
    }

    /// Records the rejection of a member's credential, with the time of the next attempt. Ignored if another credential
    /// was imported since.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn reject(&self, member: &MemberId, refusal: &Refusal) -> Result<(), StoreError> {
        let now = self.refresher.clock.now();
        let before = refusal.before.as_ref();
        // An attempt before `retry_at`, such as an operator's, does not extend the backoff.
        let is_due = before.is_none_or(|failure| failure.retry_at <= now);
        let failures = before.map_or(0, |failure| failure.failures) + u32::from(is_due);
        let wait = backoff::credential_retry_delay(failures, crate::base::random::jitter());
        let retry_at = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
        let failure = CredentialFailure {
            reason: refusal.reason.clone(),
            since: before.map_or(now, |failure| failure.since),
            failures,
            retry_at: before.filter(|_| !is_due).map_or(retry_at, |failure| failure.retry_at),
        };
        if self.store.reject_credential(member, &refusal.used, &failure, now).await? {
            let (reason, retry_at) = (&failure.reason, failure.retry_at);
            tracing::warn!(
                event = "credential_rejected", member_id = %member, reason, %retry_at,
                "credential rejected"
            );
        }
        Ok(())
    }

    /// Loads the member's credentials.
    ///
    /// # Errors
    /// The member does not exist, or the store failed.
    pub async fn credentials(&self, member: &MemberId) -> Result<StoredCredentials, CallError> {
        let credentials = self.store.credentials(member).await?;
        credentials.ok_or_else(|| CallError::missing("there is no such member"))
    }

    /// Returns a valid token other than `rejected`, refreshing if needed.
    async fn token(
        &self,
        member: &MemberId,
        credentials: &StoredCredentials,
        rejected: Option<&Sealed>,
    ) -> Result<Token, CallError> {
        if let Some(token) = self.open_valid(member, credentials, rejected) {
            return Ok(token);
        }
        for poll in 0..MAX_WAIT_POLLS {
            let now = self.refresher.clock.now();
            // A refresh of this process holds its lease, whatever the wall clock says.
            if !self.pending.has(member)
                && let Some(lease) = self.lease(member, now).await?
            {
                if let Some(token) = self.open_valid(member, &lease.credentials, rejected) {
                    self.store.release_refresh_lease(member, &lease).await?;
                    return Ok(token);
                }
                return self.refresh(member, lease).await;
            }
            if self.store.is_interactive() {
                self.pending.hurry(member);
            }
            tracing::trace!(member_id = %member, poll, "waiting for a refresh elsewhere");
            tokio::time::sleep(WAIT_POLL).await;
            if let Some(token) = self.open_valid(member, &self.credentials(member).await?, rejected) {
                return Ok(token);
            }
        }
        Err(CallError::LeaseHeld)
    }

    /// A person waits for nobody else's lease.
    async fn lease(&self, member: &MemberId, now: Time) -> Result<Option<RefreshLease>, StoreError> {
        let until = now + LEASE;
        if self.store.is_interactive() {
            self.store.lease_refresh(member, now, until).await
        } else {
            self.refresher.batches.lease_refresh(&self.store, member, now, until).await
        }
    }

    /// Runs in a task of its own: the caller may be cancelled, but rotated tokens must be stored. A person waits for that
    /// no longer than for other writes, and nobody waits for a store that keeps failing.
    async fn refresh(&self, member: &MemberId, lease: RefreshLease) -> Result<Token, CallError> {
        let (is_urgent, pending) = self.pending.register(member);
        // A person's own renewal is urgent from the start.
        if self.store.is_interactive() {
            self.pending.hurry(member);
        }
        let gateway = self.refresher.gateway.background_until(is_urgent.clone());
        let (refresher, member) = (Refresher { gateway, ..self.refresher.clone() }, member.clone());
        let (responded, response) = oneshot::channel();
        let (unstored, store_failed) = oneshot::channel();
        let progress = Progress { responded, unstored };
        let refresh = async move {
            let _pending = pending;
            refresher.refresh(&member, lease, &is_urgent, progress).await
        };
        let refresh = self.refreshes.spawn(traces::carried(refresh));
        let wait_is_over = async {
            if !self.store.is_interactive() || response.await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(INTERACTIVE_WAIT).await;
        };
        tokio::select! {
            token = refresh => token.map_err(CallError::TaskAborted)?,
            () = wait_is_over => Err(StoreError::Busy.into()),
            Ok(error) = store_failed => Err(error.into()),
        }
    }

    /// The stored token, if it is still valid and the key ring opens it.
    fn open_valid(
        &self,
        member: &MemberId,
        credentials: &StoredCredentials,
        rejected: Option<&Sealed>,
    ) -> Option<Token> {
        let StoredToken { sealed, refresh_at } = credentials.access.as_ref()?;
        if self.refresher.clock.now() >= *refresh_at || Some(sealed) == rejected {
            return None;
        }
        let token = self.refresher.keyring.open_sealed(member, SealedField::AccessToken, sealed).ok()?;
        Some(Token { token: AccessToken::new(token.as_str()), sealed: sealed.clone(), refreshed: false })
    }
}

fn failed<T>(error: CallError) -> (Result<T, CallError>, Refresh) {
    let refresh = match &error {
        CallError::NoToken { refusal: Some(_), .. } => Refresh::Refused,
        CallError::OtherSubject => Refresh::Granted,
        CallError::Gateway(_) => Refresh::Failed,
        _ => Refresh::NotNeeded,
    };
    (Err(error), refresh)
}
