//! Service: a member's credential becomes an access token.
//!
//! Tokens stay sealed in the database for as long as they live, so that neither a sweep nor a restart requests new ones.
//! One refresh runs for a member at a time, in this process or beside it: its holder extends a short lease, so that one
//! that died holds nobody up for long. What rotates is sealed and committed before the new access token is used: a
//! refresh token that is spent and not stored locks its member out.
//!
//! A refused credential is reported and not recorded here. Whether the member or the gateway is at fault shows only
//! beside the other members of a sweep, which then calls [`TokenProvider::reject`].

use crate::base::backoff;
use crate::base::clock::Clock;
use crate::base::config::AuthMode;
use crate::credentials::keyring::{Keyring, KeyringError, SealedField};
use crate::domain::{
    AccessToken, CredentialState, Fingerprint, MemberId, RefreshToken, Sealed, Time, UsedCredential,
};
use crate::gateway::{Gateway, GatewayError, TokenResponse, Verdict};
use crate::store::{
    CredentialFailure, RefreshLease, RefreshedTokens, Store, StoreError, StoredCredentials, StoredToken,
};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// A lease expires after this, should its holder die, and is extended this often while it lives.
const LEASE: TimeDelta = TimeDelta::seconds(30);
const EXTEND_EVERY: Duration = Duration::from_secs(5);
/// How often a caller that waits for another's refresh checks whether it is done, and how many times.
const WAIT_POLL: Duration = Duration::from_millis(50);
const MAX_WAIT_POLLS: u32 = 1_200;
/// How long before its expiry a token is replaced, unless that is more than a tenth of its life.
const MARGIN: TimeDelta = TimeDelta::minutes(2);
/// Assumed lifetime of a token that carries no expiry.
const DEFAULT_LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// New tokens must be stored: their predecessor is spent.
const STORE_RETRIES: u32 = 20;

/// Why a call to the gateway has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No token can be had for the member. Says nothing of any connection.
    #[error("no access token for this member: {reason}")]
    NoToken {
        /// `Rejected`, `Missing` or `Locked`.
        state: CredentialState,
        /// In the operator's terms.
        reason: String,
        /// What was refused just now; not recorded yet.
        refusal: Option<Box<Refusal>>,
    },
    /// The gateway's token is for another person than it used to be. Nothing is asked with it.
    #[error(
        "the gateway gave an access token for another subject than before; if that is right, remove the member and import them again"
    )]
    OtherSubject,
    /// The gateway did not give a usable answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Another refresh of this member's tokens does not end.
    #[error("another process is refreshing this member's token")]
    LeaseHeld,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key ring.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A task of the daemon's ended without a result.
    #[error("the token refresh was aborted: {0}")]
    TaskAborted(#[from] tokio::task::JoinError),
}

/// A credential that the gateway refused, by its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    used: UsedCredential,
    before: Option<CredentialFailure>,
    reason: String,
}

/// Whether a call needed a new access token, and what became of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The stored token was good.
    NotNeeded,
    /// The gateway gave a new token.
    Granted,
    /// The gateway refused the credential.
    Refused,
    /// Neither: the request failed.
    Failed,
}

/// A usable access token.
struct Token {
    token: AccessToken,
    /// As it is stored.
    sealed: Sealed,
    refreshed: bool,
}

/// Calls the gateway as a member. Cheap to clone.
#[derive(Clone)]
pub struct TokenProvider {
    store: Store,
    gateway: Gateway,
    keyring: Arc<Keyring>,
    clock: Clock,
    mode: AuthMode,
    refreshes: TaskTracker,
}

impl TokenProvider {
    /// Refreshes through `gateway` in the way that `mode` names, stores in `store`, seals under `keyring`.
    pub fn new(store: Store, gateway: Gateway, keyring: Arc<Keyring>, clock: Clock, mode: AuthMode) -> Self {
        Self { store, gateway, keyring, clock, mode, refreshes: TaskTracker::new() }
    }

    /// The same way, for a person who waits.
    #[must_use]
    pub(crate) fn interactive(&self) -> Self {
        Self { gateway: self.gateway.interactive(), ..self.clone() }
    }

    /// Waits for the refreshes under way: what the gateway has rotated must be stored before the process ends.
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
        credentials: StoredCredentials,
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
        credentials: StoredCredentials,
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
            self.token(member, credentials, Some(&first.sealed)).await
        };
        let result = match call(first.token.clone()).await {
            Err(error) if error.verdict() == Verdict::Unauthorized => match retry.await {
                Ok(second) => {
                    refresh = Refresh::Granted;
                    // Should the gateway refuse the token that it has just given, the answer is unclear.
                    call(second.token).await.map_err(CallError::from)
                }
                Err(error) => return failed(error),
            },
            other => other.map_err(CallError::from),
        };
        (result, refresh)
    }

    /// Gets a new access token for `member` from the gateway, although the stored one may still be good.
    ///
    /// # Errors
    /// Like [`TokenProvider::call_as`].
    pub(crate) async fn refresh_now(&self, member: &MemberId) -> Result<(), CallError> {
        let credentials = self.credentials(member).await?;
        let stored = credentials.access.as_ref().map(|stored| stored.sealed.clone());
        self.token(member, StoredCredentials { access: None, ..credentials }, stored.as_ref()).await.map(drop)
    }

    /// Whether the key that opens the member's refresh token is missing from the key ring.
    pub(crate) fn is_locked(&self, credentials: &StoredCredentials) -> bool {
        self.mode == AuthMode::RefreshToken
            && credentials.refresh.as_ref().is_some_and(|refresh| !self.keyring.can_open(refresh))
    }

    /// Records that a member's credential is rejected, with the time of the next try. A credential that was imported
    /// after the refusal is left alone.
    ///
    /// # Errors
    /// The store's.
    pub async fn reject(&self, member: &MemberId, refusal: &Refusal) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = refusal.before.as_ref();
        // A try before its time, such as an operator's, does not extend the backoff.
        let in_turn = before.is_none_or(|failure| failure.retry_at <= now);
        let failures = before.map_or(0, |failure| failure.failures) + u32::from(in_turn);
        let wait = backoff::credential_retry_delay(failures, crate::base::random::jitter());
        let retry_at = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
        let failure = CredentialFailure {
            state: CredentialState::Rejected,
            reason: refusal.reason.clone(),
            since: before.map_or(now, |failure| failure.since),
            failures,
            retry_at: before.filter(|_| !in_turn).map_or(retry_at, |failure| failure.retry_at),
        };
        if self.store.reject_credential(member, &refusal.used, &failure).await? {
            let (reason, retry_at) = (&failure.reason, failure.retry_at);
            tracing::warn!(%member, reason, %retry_at, "credential rejected");
        }
        Ok(())
    }

    /// The member's credential.
    ///
    /// # Errors
    /// The store's, and when there is no such member.
    pub async fn credentials(&self, member: &MemberId) -> Result<StoredCredentials, CallError> {
        self.store.credentials(member).await?.ok_or_else(|| missing("there is no such member"))
    }

    /// A token that is good for now, other than `refused`.
    async fn token(
        &self,
        member: &MemberId,
        mut credentials: StoredCredentials,
        refused: Option<&Sealed>,
    ) -> Result<Token, CallError> {
        for poll in 0..MAX_WAIT_POLLS {
            if let Some(stored) = self.valid_token(&credentials, refused) {
                return self.unseal(member, stored);
            }
            let now = self.clock.now();
            if let Some(lease) = self.store.lease_refresh(member, now, now + LEASE).await? {
                if let Some(stored) = self.valid_token(&lease.credentials, refused) {
                    self.store.release_refresh_lease(member, &lease).await?;
                    return self.unseal(member, stored);
                }
                // Its own task: the caller may go away, and what the gateway has rotated must still be stored.
                let (provider, member) = (self.clone(), member.clone());
                return self.refreshes.spawn(async move { provider.refresh(&member, lease).await }).await?;
            }
            tracing::trace!(%member, poll, "waiting for a refresh elsewhere");
            tokio::time::sleep(WAIT_POLL).await;
            credentials = self.credentials(member).await?;
        }
        Err(CallError::LeaseHeld)
    }

    fn valid_token<'a>(
        &self,
        credentials: &'a StoredCredentials,
        refused: Option<&Sealed>,
    ) -> Option<&'a StoredToken> {
        let now = self.clock.now();
        let is_valid = |stored: &&StoredToken| {
            now < stored.refresh_at
                && Some(&stored.sealed) != refused
                && self.keyring.can_open(&stored.sealed)
        };
        credentials.access.as_ref().filter(is_valid)
    }

    fn unseal(&self, member: &MemberId, stored: &StoredToken) -> Result<Token, CallError> {
        let token = self.keyring.open_sealed(member, SealedField::AccessToken, &stored.sealed)?;
        Ok(Token { token: AccessToken::new(token.as_str()), sealed: stored.sealed.clone(), refreshed: false })
    }

    async fn refresh(&self, member: &MemberId, lease: RefreshLease) -> Result<Token, CallError> {
        let requested_at = self.clock.now();
        let result = tokio::select! {
            result = self.request(member, &lease.credentials) => result,
            never = self.keep_lease(member, &lease) => match never {},
        };
        let error = match result {
            Ok((response, used)) => {
                return self.store_tokens(member, &lease, response, &used, requested_at).await;
            }
            Err(error) => error,
        };
        self.store.release_refresh_lease(member, &lease).await?;
        Err(error)
    }

    /// Extends the lease until it is dropped. A database that fails here ends nothing: the request under way may have
    /// spent a token already, and its result must still be stored.
    async fn keep_lease(&self, member: &MemberId, lease: &RefreshLease) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(EXTEND_EVERY).await;
            let until = self.clock.now() + LEASE;
            if let Err(error) = self.store.extend_refresh_lease(member, lease, until).await {
                tracing::warn!(%member, %error, "cannot extend a refresh lease");
            }
        }
    }

    async fn request(
        &self,
        member: &MemberId,
        credentials: &StoredCredentials,
    ) -> Result<(TokenResponse, UsedCredential), CallError> {
        let (result, used) = match self.mode {
            AuthMode::RefreshToken => {
                let sealed = credentials
                    .refresh
                    .as_ref()
                    .ok_or_else(|| missing("no refresh token is stored; import one"))?;
                let token = self.keyring.open_sealed(member, SealedField::RefreshToken, sealed);
                let token = token.map_err(|error| self.locked(credentials, error))?;
                let response = self.gateway.refresh(&RefreshToken::new(token.as_str())).await;
                (response, UsedCredential::RefreshToken(sealed.clone()))
            }
            AuthMode::TokenExchange => {
                let response = self.gateway.exchange(&credentials.subject).await;
                (response, UsedCredential::Subject(credentials.subject.clone()))
            }
            AuthMode::Broker => {
                let response = self.gateway.broker(member).await;
                (response, UsedCredential::Subject(credentials.subject.clone()))
            }
        };
        match result {
            Ok(response) => Ok((response, used)),
            Err(error) if error.verdict() == Verdict::Rejected => {
                let reason = error.to_string();
                Err(CallError::NoToken {
                    state: CredentialState::Rejected,
                    reason: reason.clone(),
                    refusal: Some(Box::new(Refusal { used, before: credentials.failure.clone(), reason })),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn locked(&self, credentials: &StoredCredentials, error: KeyringError) -> CallError {
        if self.is_locked(credentials) {
            let state = CredentialState::Locked;
            CallError::NoToken { state, reason: error.to_string(), refusal: None }
        } else {
            error.into()
        }
    }

    async fn store_tokens(
        &self,
        member: &MemberId,
        lease: &RefreshLease,
        response: TokenResponse,
        used: &UsedCredential,
        requested_at: Time,
    ) -> Result<Token, CallError> {
        // A refresh token that comes along in another mode must not replace one that was imported.
        let rotated = match used {
            UsedCredential::RefreshToken(_) => response.refresh_token,
            UsedCredential::Subject(_) => None,
        };
        let rotated = rotated
            .map(|token| self.keyring.seal(member, SealedField::RefreshToken, token.expose()))
            .transpose()?;
        let life = response.expires_at.map_or(DEFAULT_LIFETIME, |expires_at| expires_at - requested_at);
        let access = StoredToken {
            sealed: self.keyring.seal(member, SealedField::AccessToken, response.access_token.expose())?,
            refresh_at: requested_at + life - MARGIN.min(life / 10),
        };
        let first_subject = self.first_subject(member, &lease.credentials, response.subject.as_deref());
        let tokens = RefreshedTokens {
            used,
            rotated: rotated.as_ref(),
            access: first_subject.is_ok().then_some(&access),
            subject: first_subject.as_ref().ok().and_then(Option::as_ref),
        };
        let mut tries = 0;
        while let Err(error) = self.store.store_tokens(member, lease, &tokens, self.clock.now()).await {
            if tries == STORE_RETRIES {
                return Err(error.into());
            }
            tries += 1;
            tracing::error!(%member, %error, tries, "cannot store new tokens yet");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        first_subject?;
        Ok(Token { token: response.access_token, sealed: access.sealed, refreshed: true })
    }

    /// What to remember of a token's subject, if anything. Tokens that name no subject, and fingerprints under a key that
    /// the ring has lost, prove nothing.
    fn first_subject(
        &self,
        member: &MemberId,
        credentials: &StoredCredentials,
        subject: Option<&str>,
    ) -> Result<Option<Fingerprint>, CallError> {
        let Some(subject) = subject else { return Ok(None) };
        let known = credentials.token_subject.as_ref();
        let fingerprint = self.keyring.subject_fingerprint(member, subject, known);
        match (known, fingerprint) {
            (Some(known), Some(found)) if *known != found => Err(CallError::OtherSubject),
            (Some(_), _) => Ok(None),
            (None, fingerprint) => Ok(fingerprint),
        }
    }
}

fn missing(reason: &str) -> CallError {
    CallError::NoToken { state: CredentialState::Missing, reason: reason.to_owned(), refusal: None }
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
