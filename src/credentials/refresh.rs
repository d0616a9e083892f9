//! One refresh of a member's tokens, under a lease.
//!
//! The gateway consumes a refresh token when it issues the next one. So the new refresh token is sealed and committed
//! before the access token is used: losing it would lock the member out.

use super::error::{CallError, Refusal};
use super::keyring::{Keyring, KeyringError, SealedField};
use super::renewals::{Renewal, Renewals};
use crate::base::backoff;
use crate::base::clock::Clock;
use crate::base::config::AuthMode;
use crate::base::telemetry::metrics;
use crate::domain::{
    AccessToken, CredentialState, Fingerprint, MemberId, RefreshToken, Sealed, Time, UsedCredential,
};
use crate::gateway::{Gateway, TokenResponse, Verdict};
use crate::store::{
    RefreshBatches, RefreshLease, RefreshedTokens, Store, StoreError, StoredCredentials, StoredToken,
};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// A lease expires after this time if its holder dies. A living holder extends it more often.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(30);
const EXTEND_EVERY: Duration = Duration::from_secs(5);
/// A token is refreshed this long before it expires, or after nine tenths of its lifetime, whichever is later.
const MARGIN: TimeDelta = TimeDelta::minutes(2);
/// Assumed lifetime of a token that carries no expiry.
const DEFAULT_LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// After this many failures to store the new tokens, nobody waits for them any longer.
const AWAITED_FAILURES: u32 = 6;
/// Tokens that this database can never store are given up after this many.
const HOPELESS_FAILURES: u32 = 20;

/// A usable access token.
pub(super) struct Token {
    pub(super) token: AccessToken,
    /// The stored form.
    pub(super) sealed: Sealed,
    pub(super) refreshed: bool,
}

/// Tells who waits for a refresh how far it has come.
pub(super) struct Progress {
    /// Only the store's part is left.
    pub(super) responded: oneshot::Sender<()>,
    /// The store's part fails, and goes on without anybody who waits for it.
    pub(super) unstored: oneshot::Sender<StoreError>,
}

/// Refreshes tokens. Cheap to clone.
#[derive(Clone)]
pub(super) struct Refresher {
    pub(super) store: Store,
    pub(super) gateway: Gateway,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) mode: AuthMode,
    pub(super) renewals: Renewals,
    pub(super) batches: RefreshBatches,
}

impl Refresher {
    /// Whether no key of the key ring opens the member's refresh token.
    pub(super) fn is_locked(&self, member: &MemberId, credentials: &StoredCredentials) -> bool {
        let opens = |sealed: &Sealed| self.keyring.can_open(member, SealedField::RefreshToken, sealed);
        self.mode == AuthMode::RefreshToken
            && credentials.refresh.as_ref().is_some_and(|refresh| !opens(refresh))
    }

    /// Refreshes the member's tokens and stores them. Run it to its end: the gateway may already have consumed the old
    /// refresh token. `is_urgent`: whether a person waits for it by now.
    pub(super) async fn refresh(
        &self,
        member: &MemberId,
        lease: RefreshLease,
        is_urgent: &watch::Receiver<bool>,
        Progress { responded, unstored }: Progress,
    ) -> Result<Token, CallError> {
        let request = async {
            let renewal = self.begin(is_urgent).await;
            let requested_at = self.clock.now();
            (self.request(member, &lease.credentials).await, requested_at, renewal)
        };
        let (result, requested_at, _renewal) = tokio::select! {
            requested = request => requested,
            never = self.keep_lease(member, &lease) => match never {},
        };
        // The caller may be gone.
        let _ = responded.send(());
        let error = match result {
            Ok((response, used)) => {
                return self.store_tokens(member, &lease, response, &used, requested_at, unstored).await;
            }
            Err(error) => error,
        };
        self.store.release_refresh_lease(member, &lease).await?;
        Err(error)
    }

    /// Waits for the bound on renewals, if the gateway can rotate tokens.
    async fn begin(&self, is_urgent: &watch::Receiver<bool>) -> Option<Renewal<'_>> {
        match self.mode {
            AuthMode::RefreshToken => Some(self.renewals.begin(is_urgent).await),
            AuthMode::TokenExchange | AuthMode::Broker => None,
        }
    }

    /// Extends the lease until this is cancelled. A database error does not end the refresh: the request in flight may
    /// have consumed a token, and its result must still be stored.
    async fn keep_lease(&self, member: &MemberId, lease: &RefreshLease) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(EXTEND_EVERY).await;
            let until = self.clock.now() + LEASE;
            if let Err(error) = self.store.extend_refresh_lease(member, lease, until).await {
                tracing::warn!(
                    event = "refresh_lease_not_extended", member_id = %member, %error,
                    "cannot extend a refresh lease"
                );
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
                    .ok_or_else(|| CallError::missing("no refresh token is stored; import one"))?;
                let token = self.keyring.open_sealed(member, SealedField::RefreshToken, sealed);
                let token = token.map_err(locked)?;
                let response = self.gateway.refresh(&RefreshToken::new(token.as_str())).await;
                if let Ok(response) = &response {
                    let next = response.refresh_token.as_ref();
                    self.renewals.record_response(next.is_some_and(|next| next.expose() != token.as_str()));
                }
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

    /// Tries until it succeeds, because the predecessor of a rotated token is already consumed.
    async fn store_tokens(
        &self,
        member: &MemberId,
        lease: &RefreshLease,
        response: TokenResponse,
        used: &UsedCredential,
        requested_at: Time,
        unstored: oneshot::Sender<StoreError>,
    ) -> Result<Token, CallError> {
        let arrived_at = Instant::now();
        // In another mode a refresh token may come along. It must not replace an imported one.
        let rotated = match used {
            UsedCredential::RefreshToken(_) => response.refresh_token,
            UsedCredential::Subject(_) => None,
        };
        let lifetime = response.expires_at.map_or(DEFAULT_LIFETIME, |expires_at| expires_at - requested_at);
        let refresh_at = requested_at + lifetime - MARGIN.min(lifetime / 10);
        let first_subject = self.check_subject(member, &lease.credentials, response.subject.as_deref());
        let seal = || {
            let seal = |field, token: &str| self.keyring.seal(member, field, token);
            let access = seal(SealedField::AccessToken, response.access_token.expose())?;
            let stored = StoredToken { sealed: access.clone(), refresh_at };
            let rotated = rotated.as_ref().map(|token| seal(SealedField::RefreshToken, token.expose()));
            let tokens = RefreshedTokens {
                used: used.clone(),
                rotated: rotated.transpose()?,
                access: first_subject.is_ok().then_some(stored),
                subject: first_subject.as_ref().ok().cloned().flatten(),
            };
            Ok::<_, KeyringError>((Arc::new(tokens), access))
        };
        let (mut tokens, mut sealed) = seal()?;
        let (mut failures, mut unstored) = (0, Some(unstored));
        let store = async |tokens: &Arc<RefreshedTokens>| {
            let now = self.clock.now();
            self.batches.store_tokens(&self.store, member, lease, tokens, now).await
        };
        while let Err(error) = store(&tokens).await {
            failures += 1;
            let is_hopeless = error.is_about_a_row() || matches!(error, StoreError::Aborted(_));
            let is_lost = matches!(error, StoreError::FileReplaced { .. });
            if is_lost || (is_hopeless && failures >= HOPELESS_FAILURES) {
                return Err(error.into());
            }
            // This process missed the end of a rotation, for example because it was stopped.
            if let StoreError::KeyRetired { key } = &error
                && let Ok(again) = self.keyring.leave(key).and_then(|_| seal())
            {
                (tokens, sealed) = again;
                continue;
            }
            // With longer and longer breaks.
            if failures.is_power_of_two() {
                tracing::error!(
                    event = "refreshed_tokens_not_stored", member_id = %member, %error, failures,
                    "cannot store refreshed tokens; retrying"
                );
            }
            if failures >= AWAITED_FAILURES
                && let Some(unstored) = unstored.take()
            {
                // The caller may be gone.
                let _ = unstored.send(error);
            }
            tokio::time::sleep(backoff::token_store_delay(failures)).await;
        }
        metrics::record_token_commit(arrived_at.elapsed());
        first_subject?;
        Ok(Token { token: response.access_token, sealed, refreshed: true })
    }

    /// The fingerprint to store, if this is the member's first subject. A token without a subject proves nothing, nor
    /// does a fingerprint under a key that is missing from the key ring.
    fn check_subject(
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

fn locked(error: KeyringError) -> CallError {
    CallError::NoToken { state: CredentialState::Locked, reason: error.to_string(), refusal: None }
}
