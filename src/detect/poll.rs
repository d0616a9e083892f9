//! Service: the only way in for a response of the gateway. Decides, then stores, in one transaction.

use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::{CallError, Refresh, TokenProvider};
use crate::detect::brake::StormBrake;
use crate::detect::decide::Policy;
use crate::detect::digest::digest;
use crate::detect::responses::{Response, Responses};
use crate::domain::{Cause, Connection, Listing, MemberId, Outcome, Time};
use crate::gateway::Gateway;
use crate::store::{ApplyReport, DueMember, Store, StoreError, StoredCredentials};
use std::sync::Arc;

/// Polls members and applies the responses. Cheap to clone.
#[derive(Clone)]
pub struct Poller {
    responses: Responses,
    tokens: TokenProvider,
    gateway: Gateway,
    clock: Clock,
    brake: StormBrake,
}

/// The poll of a member whom a sweep has come to.
#[derive(Debug)]
pub(crate) struct DuePoll {
    pub(crate) result: Result<DueResponse, CallError>,
    pub(crate) refresh: Refresh,
}

/// A usable response.
#[derive(Debug)]
pub(crate) enum DueResponse {
    /// It was applied, or it has not changed.
    Applied(ApplyReport),
    /// The list is empty, although the member had connections. Nothing is concluded: many such members at the same time are an outage.
    /// [`Poller::accept_empty`] applies it.
    TurnedEmpty { asked_at: Time },
}

impl Poller {
    /// Decides by `policy`.
    pub fn new(
        store: Store,
        tokens: TokenProvider,
        gateway: Gateway,
        clock: Clock,
        brake: StormBrake,
        policy: Policy,
    ) -> Self {
        let responses = Responses::new(store, clock.clone(), policy);
        Self { responses, tokens, gateway, clock, brake }
    }

    /// Polls one member and applies the response, even if it is unchanged. Returns the response, too.
    ///
    /// # Errors
    /// There is no usable response; nothing is concluded.
    pub async fn poll(
        &self,
        member: &MemberId,
        cause: Cause,
    ) -> Result<(Vec<Connection>, ApplyReport), CallError> {
        let credentials = self.tokens.credentials(member).await?;
        let (listing, asked_at) = self.list(member, credentials).await?;
        // One member's list that turns empty is more often a mistake. A sweep compares members; an operator looks.
        let accept_empty = cause == Cause::Operator;
        let digest = digest(&listing);
        let response =
            Arc::new(Response { member_id: member.clone(), asked_at, cause, listing, digest, accept_empty });
        let applied = self.apply(Arc::clone(&response)).await?;
        let listing = Arc::try_unwrap(response)
            .map_or_else(|shared| shared.listing.clone(), |response| response.listing);
        Ok((listing.rows, applied))
    }

    /// Polls a member whom a sweep has come to. A response that has not changed is not evaluated again, unless a suspicion
    /// is open. A list that turned empty is held back: see [`DueResponse::TurnedEmpty`].
    pub(crate) async fn poll_due(&self, due: &DueMember) -> DuePoll {
        let asked_at = self.clock.now();
        let call = |token| async move { self.gateway.connections(&token).await };
        let (listed, refresh) = self.tokens.call_as_reporting(&due.id, &due.credentials, call).await;
        let result = match listed {
            Ok(listing) => self.apply_due(due, listing, asked_at).await.map_err(CallError::from),
            Err(error) => Err(error),
        };
        DuePoll { result, refresh }
    }

    /// Polls a member just before an email to them. A response that has not changed is not evaluated again, unless a
    /// suspicion is open.
    ///
    /// # Errors
    /// There is no usable response; nothing is concluded.
    pub(crate) async fn look_again(&self, member: &DueMember) -> Result<ApplyReport, CallError> {
        let (listing, asked_at) = self.list(&member.id, member.credentials.clone()).await?;
        let digest = digest(&listing);
        if !member.suspicion && member.digest.as_deref() == Some(&digest[..]) {
            return Ok(ApplyReport::default());
        }
        let (member_id, cause) = (member.id.clone(), Cause::SecondLook);
        let response = Response { member_id, asked_at, cause, listing, digest, accept_empty: false };
        Ok(self.apply(Arc::new(response)).await?)
    }

    async fn apply_due(
        &self,
        due: &DueMember,
        listing: Listing,
        asked_at: Time,
    ) -> Result<DueResponse, StoreError> {
        let digest = digest(&listing);
        if !due.suspicion && due.digest.as_deref() == Some(&digest[..]) {
            return Ok(DueResponse::Applied(ApplyReport::default()));
        }
        let (cause, accept_empty) = (Cause::Sweep, false);
        let response = Response { member_id: due.id.clone(), asked_at, cause, listing, digest, accept_empty };
        let applied = self.apply(Arc::new(response)).await?;
        Ok(if applied.turned_empty {
            DueResponse::TurnedEmpty { asked_at }
        } else {
            DueResponse::Applied(applied)
        })
    }

    /// Applies an empty list that was held back.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn accept_empty(
        &self,
        member: &MemberId,
        asked_at: Time,
    ) -> Result<ApplyReport, StoreError> {
        let listing = Listing::default();
        let (digest, cause) = (digest(&listing), Cause::Sweep);
        let member_id = member.clone();
        let response = Response { member_id, asked_at, cause, listing, digest, accept_empty: true };
        self.apply(Arc::new(response)).await
    }

    async fn list(
        &self,
        member: &MemberId,
        credentials: StoredCredentials,
    ) -> Result<(Listing, Time), CallError> {
        let asked_at = self.clock.now();
        let seen = self
            .tokens
            .call_as(member, &credentials, |token| async move { self.gateway.connections(&token).await })
            .await?;
        Ok((seen, asked_at))
    }

    async fn apply(&self, response: Arc<Response>) -> Result<ApplyReport, StoreError> {
        let applied = self.responses.apply(Arc::clone(&response)).await?;
        let (member, cause) = (&response.member_id, response.cause.as_str());
        for (from, to) in &applied.transitions {
            metrics::count_transition(to);
            match from {
                Some(from) => {
                    tracing::info!(event = "transition", member_id = %member, %from, %to, cause, "transition")
                }
                // The first observations of a fleet would drown everything else.
                None => tracing::debug!(member_id = %member, %to, cause, "connection first seen"),
            }
        }
        metrics::count_opened_lapses(applied.opened_lapses);
        for (outcome, duration) in &applied.closed_lapses {
            metrics::count_closed_lapse(*outcome);
            if *outcome == Outcome::Recovered {
                metrics::record_recovery(*duration);
            }
        }
        // A sweep evaluates the brake at its end.
        if applied.opened_lapses > 0 && response.cause != Cause::Sweep {
            self.brake.evaluate(self.clock.now()).await?;
        }
        for connection in &applied.mismatched {
            metrics::count_person_mismatch();
            tracing::warn!(event = "person_mismatch", member_id = %member, connection_id = %connection,
                "probably connected with another person's records (PERSON_MATCHING_ERROR)");
        }
        Ok(applied)
    }
}
