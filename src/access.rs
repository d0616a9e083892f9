//! Service: a member's credential becomes an access token.
//!
//! Tokens are kept sealed in the database for as long as they live, so that neither a sweep nor a restart asks for
//! new ones. One renewal runs for a member at a time, in this process or beside it: its holder keeps extending a
//! short lease, so that one who died holds nobody up for long. What rotates is sealed and committed before the new
//! access token is used: a refresh token that is spent and not stored locks its member out.

use crate::backoff;
use crate::clock::Clock;
use crate::config::AuthMode;
use crate::domain::{AccessToken, CredentialState, MemberId, RefreshToken, Sealed, Time};
use crate::gateway::{Gateway, GatewayError, Renewed, Verdict};
use crate::store::{CredentialFailure, Grant, Store, StoreError, StoredToken};
use crate::vault::{Column, Vault, VaultError};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// A claim to renew runs out after this, should its holder die, and is extended this often while it lives.
const LEASE: TimeDelta = TimeDelta::seconds(30);
const EXTEND_EVERY: Duration = Duration::from_secs(5);
/// How often one who waits for another's renewal looks whether it is done, and for how long.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: u32 = 1_200;
/// How long before its expiry a token is replaced, unless that is more than a tenth of its life.
const MARGIN: TimeDelta = TimeDelta::minutes(2);
/// Taken for the life of a token that does not tell.
const UNTOLD_LIFE: TimeDelta = TimeDelta::minutes(5);
/// A renewed token must be kept: its predecessor is spent.
const KEEP_TRIES: u32 = 20;

/// Why a question to the gateway has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No token can be had for the member. Says nothing of any connection.
    #[error("no access token for this member: {reason}")]
    NoToken {
        /// `Rejected` or `Missing`.
        state: CredentialState,
        /// In the operator's terms.
        reason: String,
    },
    /// The gateway did not give a usable answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Another renews this member's token and does not come to an end.
    #[error("the member's token is being renewed elsewhere")]
    Busy,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key ring.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A task of ours ended without a result.
    #[error("the renewal was cut off: {0}")]
    Cut(#[from] tokio::task::JoinError),
}

/// The way to ask the gateway as a member. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    store: Store,
    gateway: Gateway,
    vault: Arc<Vault>,
    clock: Clock,
    mode: AuthMode,
    renewals: TaskTracker,
}

impl Access {
    /// Renews through `gateway` in the way that `mode` names, keeps in `store`, seals under `vault`.
    pub fn new(store: Store, gateway: Gateway, vault: Arc<Vault>, clock: Clock, mode: AuthMode) -> Self {
        Self { store, gateway, vault, clock, mode, renewals: TaskTracker::new() }
    }

    /// The same way, for a person who waits: see [`Gateway::for_people`].
    #[must_use]
    pub fn for_people(&self) -> Self {
        Self { gateway: self.gateway.for_people(), ..self.clone() }
    }

    /// Waits for the renewals under way: what the gateway has rotated must be kept before the process ends.
    pub async fn drain(&self) {
        self.renewals.close();
        self.renewals.wait().await;
        self.renewals.reopen();
    }

    /// Asks `question` as `member`. A token that the gateway no longer accepts is renewed once.
    ///
    /// # Errors
    /// See [`AskError`]. When no token can be had, that is recorded, with the time of the next try.
    pub async fn ask<T, F, Fut>(&self, member: &MemberId, grant: Grant, question: F) -> Result<T, AskError>
    where
        F: Fn(AccessToken) -> Fut,
        Fut: Future<Output = Result<T, GatewayError>>,
    {
        let (token, sealed) = self.token(member, grant, None).await?;
        match question(token).await {
            Err(error) if error.verdict() == Verdict::Unauthorized => {}
            other => return Ok(other?),
        }
        if let Some(sealed) = &sealed {
            self.store.drop_access_token(member, sealed).await?;
        }
        // Should the gateway refuse the token that it has just given, that is its trouble: the answer is unclear.
        let grant = self.grant(member).await?;
        let (token, _) = self.token(member, grant, sealed.as_ref()).await?;
        Ok(question(token).await?)
    }

    /// What `member`'s token is got with.
    pub async fn grant(&self, member: &MemberId) -> Result<Grant, AskError> {
        self.store.grant(member).await?.ok_or_else(|| AskError::NoToken {
            state: CredentialState::Missing,
            reason: "there is no such member".into(),
        })
    }

    /// A token that is good for now, other than `refused`; with how it is kept.
    async fn token(
        &self,
        member: &MemberId,
        mut grant: Grant,
        refused: Option<&Sealed>,
    ) -> Result<(AccessToken, Option<Sealed>), AskError> {
        for look in 0..LOOKS {
            if let Some(kept) = self.good(&grant, refused) {
                return self.unseal(member, kept);
            }
            let now = self.clock.now();
            if let Some(claimed) = self.store.claim_renewal(member, now, now + LEASE).await? {
                if let Some(kept) = self.good(&claimed, refused) {
                    self.store.release_renewal(member).await?;
                    return self.unseal(member, kept);
                }
                // Its own task: whoever asked may go away, what the gateway has rotated must still be kept.
                let (access, member) = (self.clone(), member.clone());
                return self.renewals.spawn(async move { access.renew(&member, claimed).await }).await?;
            }
            tracing::trace!(%member, look, "waiting for a renewal elsewhere");
            tokio::time::sleep(LOOK_EVERY).await;
            grant = self.grant(member).await?;
        }
        Err(AskError::Busy)
    }

    fn good<'a>(&self, grant: &'a Grant, refused: Option<&Sealed>) -> Option<&'a StoredToken> {
        let now = self.clock.now();
        grant.access.as_ref().filter(|kept| now < kept.renew_at && Some(&kept.sealed) != refused)
    }

    fn unseal(
        &self,
        member: &MemberId,
        kept: &StoredToken,
    ) -> Result<(AccessToken, Option<Sealed>), AskError> {
        let token = self.vault.open_sealed(member, Column::AccessToken, &kept.sealed)?;
        Ok((AccessToken::new(token.as_str()), Some(kept.sealed.clone())))
    }

    async fn renew(
        &self,
        member: &MemberId,
        grant: Grant,
    ) -> Result<(AccessToken, Option<Sealed>), AskError> {
        let asked_at = self.clock.now();
        let answer = tokio::select! {
            answer = self.request(member, &grant) => answer,
            never = self.keep_lease(member) => match never {},
        };
        match answer {
            Ok(renewed) => self.keep(member, renewed, grant.refresh.as_ref(), asked_at).await,
            Err(AskError::Gateway(error)) if error.verdict() == Verdict::Rejected => {
                self.failed(member, grant.failure.as_ref(), CredentialState::Rejected, error.to_string())
                    .await
            }
            Err(AskError::NoToken { state, reason }) => {
                self.failed(member, grant.failure.as_ref(), state, reason).await
            }
            Err(error) => {
                self.store.release_renewal(member).await?;
                Err(error)
            }
        }
    }

    /// Extends the lease until it is dropped. A database that fails here ends nothing: the request under way may have
    /// spent a token already, and its answer must still be kept.
    async fn keep_lease(&self, member: &MemberId) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(EXTEND_EVERY).await;
            let until = self.clock.now() + LEASE;
            if let Err(error) = self.store.extend_renewal(member, until).await {
                tracing::warn!(%member, %error, "cannot extend a renewal's lease");
            }
        }
    }

    async fn request(&self, member: &MemberId, grant: &Grant) -> Result<Renewed, AskError> {
        let renewed = match self.mode {
            AuthMode::RefreshToken => return self.refresh(member, grant).await,
            AuthMode::TokenExchange => self.gateway.exchange(&grant.subject).await?,
            AuthMode::Broker => self.gateway.broker(member).await?,
        };
        // One that comes along is not what this mode asks with, and must not replace one that was imported.
        Ok(Renewed { refresh: None, ..renewed })
    }

    async fn refresh(&self, member: &MemberId, grant: &Grant) -> Result<Renewed, AskError> {
        let sealed = grant.refresh.as_ref().ok_or_else(|| AskError::NoToken {
            state: CredentialState::Missing,
            reason: "no refresh token is stored; import one".into(),
        })?;
        let refresh = self.vault.open_sealed(member, Column::RefreshToken, sealed)?;
        Ok(self.gateway.refresh(&RefreshToken::new(refresh.as_str())).await?)
    }

    async fn keep(
        &self,
        member: &MemberId,
        renewed: Renewed,
        spent: Option<&Sealed>,
        asked_at: Time,
    ) -> Result<(AccessToken, Option<Sealed>), AskError> {
        let refresh = renewed
            .refresh
            .map(|token| self.vault.seal(member, Column::RefreshToken, token.expose()))
            .transpose()?;
        let rotated = spent.zip(refresh.as_ref());
        let life = renewed.expires_at.map_or(UNTOLD_LIFE, |expires_at| expires_at - asked_at);
        let access = StoredToken {
            sealed: self.vault.seal(member, Column::AccessToken, renewed.access.expose())?,
            renew_at: asked_at + life - MARGIN.min(life / 10),
        };
        let mut tried = 0;
        loop {
            let kept = self.store.renewed(member, rotated, &access, self.clock.now()).await;
            match kept {
                Ok(()) => return Ok((renewed.access, Some(access.sealed))),
                Err(error) if tried < KEEP_TRIES => {
                    tried += 1;
                    tracing::error!(%member, %error, tried, "cannot keep a renewed token yet");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn failed<T>(
        &self,
        member: &MemberId,
        before: Option<&CredentialFailure>,
        state: CredentialState,
        reason: String,
    ) -> Result<T, AskError> {
        let now = self.clock.now();
        // Whoever asks out of turn, such as a member who presses a button, puts the next turn off no further.
        let in_turn = before.is_none_or(|failure| failure.retry_at <= now);
        let failures = before.map_or(0, |failure| failure.failures) + u32::from(in_turn);
        let wait = backoff::credential_retry(failures, crate::random::fraction());
        let retry_at = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
        let failure = CredentialFailure {
            state,
            reason: reason.clone(),
            since: before.map_or(now, |failure| failure.since),
            failures,
            retry_at: before.filter(|_| !in_turn).map_or(retry_at, |failure| failure.retry_at),
        };
        self.store.credential_failed(member, &failure).await?;
        tracing::warn!(%member, state = state.as_str(), reason, retry_at = %failure.retry_at, "no token for member");
        Err(AskError::NoToken { state, reason })
    }
}
