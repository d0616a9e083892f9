//! Actor: one notice, from the queue to the mail server.
//!
//! Claim with a lease and commit; a second look at the gateway; prove that the way to repair is open; keep the link, and
//! the way to stop the mails; send; record. A crash after the server's acceptance and before our commit can send the
//! same notice again, under the same Message-ID; nothing else can.

mod endings;
mod mails;

use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::token_provider::{CallError, TokenProvider};
use crate::detect::poll::Poller;
use crate::domain::{Cause, Member, NoticeItem, NoticeKind, Repair};
use crate::gateway::{Gateway, Verdict};
use crate::mail::{Renderer, Transport};
use crate::store::{AttemptOutcome, Claim, Ending, Store, StoreError, StoredConnection};
use chrono::TimeDelta;
use endings::{End, Step, end, over};
use std::sync::Arc;
use std::time::Duration;

/// A claim runs out after this, should its holder die. An attempt that takes longer keeps no link, and so sends nothing;
/// a mail server that is as slow as it may be takes half of it.
const LEASE: TimeDelta = TimeDelta::hours(1);
/// How often a notice may be handed over without our learning what came of it: each time may have been a mail.
const UNCONFIRMED_CAP: u32 = 4;

/// The reason code of a second look without a usable response.
const UNCLEAR: &str = "second_look_unclear";

/// What delivering needs. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    /// Where notices, attempts and links are.
    pub(crate) store: Store,
    /// For the second look.
    pub(crate) poller: Poller,
    /// To ask the gateway as the member.
    pub(crate) access: TokenProvider,
    /// For the reconnect URL.
    pub(crate) gateway: Gateway,
    /// The time.
    pub(crate) clock: Clock,
    /// Writes the mail.
    pub(crate) renderer: Arc<Renderer>,
    /// Sends it.
    pub(crate) transport: Arc<Transport>,
    /// How long a link lives.
    pub(crate) link_ttl: Duration,
    /// How many reminders follow the first mail: the last one says so.
    pub(crate) reminders: Reminders,
}

/// How many reminders follow the first mail, by status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reminders {
    /// Of an EXPIRED connection.
    pub(crate) expired: u32,
    /// Of a DISCONNECTED one.
    pub(crate) disconnected: u32,
}

/// What a delivery came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Nothing was due.
    Nothing,
    /// One notice was dealt with.
    One(AttemptOutcome),
    /// One notice could not be sent for a reason that is the next one's, too: let the queue wait this long.
    QueueWaits(Duration),
}

impl Deliverer {
    /// Delivers the notice that is due first.
    ///
    /// # Errors
    /// The store's. Everything else is an outcome of the attempt, and a row.
    pub async fn deliver_one(&self) -> Result<Delivered, StoreError> {
        let now = self.clock.now();
        let Some(claim) = self.store.claim_notice(now, now + LEASE).await? else {
            return Ok(Delivered::Nothing);
        };
        let mut queue_waits = None;
        let mut told = Vec::new();
        let ending = match self.attempt(&claim, &mut told, &mut queue_waits).await {
            Ok(ending) | Err(End::With(ending)) => ending,
            Err(End::Broken(error)) => return Err(error),
        };
        if !self.store.end_attempt(&claim, &ending, &told, self.clock.now()).await? {
            tracing::error!(notice = %claim.notice.id, "an attempt outlived its lease; another will be made");
        }
        metrics::count_notice(ending.outcome.as_str());
        let (member, notice) = (&claim.notice.member_id, &claim.notice.id);
        let (outcome, reason) = (ending.outcome.as_str(), ending.reason);
        if ending.outcome == AttemptOutcome::Abandoned || queue_waits.is_some() {
            tracing::warn!(%member, %notice, attempt = claim.attempt, outcome, reason, detail = ending.detail, "delivery");
        } else {
            tracing::info!(%member, %notice, attempt = claim.attempt, outcome, reason, detail = ending.detail, "delivery");
        }
        Ok(queue_waits.map_or(Delivered::One(ending.outcome), Delivered::QueueWaits))
    }

    async fn attempt(
        &self,
        claim: &Claim,
        told: &mut Vec<NoticeItem>,
        queue_waits: &mut Option<Duration>,
    ) -> Step<Ending> {
        if claim.unconfirmed >= UNCONFIRMED_CAP {
            return Err(end(AttemptOutcome::Abandoned, "never_confirmed", None));
        }
        let member = self.store.member(&claim.notice.member_id).await?;
        let Some(member) = member else { return Err(end(AttemptOutcome::Cancelled, "member_removed", None)) };
        if member.paused {
            return Err(end(AttemptOutcome::Cancelled, "member_paused", None));
        }
        if self.store.is_suppressed(&member.id).await? {
            return Err(end(AttemptOutcome::Cancelled, "suppressed", None));
        }
        let credentials = match self.access.credentials(&member.id).await {
            Ok(credentials) => credentials,
            Err(error) => return Err(self.wait(claim, "no_token", &error)),
        };
        if let Some(failure) = credentials.failure.filter(|failure| failure.retry_at > self.clock.now()) {
            return Err(self.wait_for_credential(&failure));
        }
        self.second_look(claim, &member).await?;
        // Before a link is kept: an attempt that is cut off while it waits for its turn has handed nothing over.
        self.transport.wait_for_rate_limit().await;
        let (mail, items) = match claim.notice.kind {
            NoticeKind::Reconnect => self.reconnect(claim, &member).await?,
            NoticeKind::Invited => (self.invitation(claim, &member).await?, Vec::new()),
            NoticeKind::Recovered => self.recovery(claim, &member).await?,
        };
        match self.transport.send(&mail).await {
            Ok(accepted) => {
                told.extend(items);
                let detail = Some(accepted.reply).filter(|reply| !reply.is_empty());
                Ok(over(AttemptOutcome::Sent, "accepted", detail))
            }
            Err(error) => {
                let (ending, wait) = self.refused(claim, &error).await?;
                *queue_waits = wait;
                Ok(ending)
            }
        }
    }

    /// Asks the gateway again just before sending. What it finds is taken in, so that a recovered connection's lapse
    /// is closed before it is asked what is still to be said.
    async fn second_look(&self, claim: &Claim, member: &Member) -> Step<()> {
        match self.poller.poll(&member.id, Cause::SecondLook).await {
            Ok((_, applied)) if applied.turned_empty => {
                let detail = Some("the member's list has turned empty".to_owned());
                Err(End::With(self.wait_for(claim, UNCLEAR, detail)))
            }
            Ok(_) => Ok(()),
            Err(CallError::Store(error)) => Err(End::Broken(error)),
            Err(error) => Err(self.wait(claim, UNCLEAR, &error)),
        }
    }

    /// Fetches the reconnect URL of each OAuth connection, to know that the member will not be led into a wall, and
    /// forgets it at once. A connection for which there is none for good is left out of the mail.
    async fn prove_open<T>(
        &self,
        claim: &Claim,
        member: &Member,
        needed: Vec<(T, StoredConnection)>,
    ) -> Step<Vec<(T, StoredConnection)>> {
        let mut open = Vec::new();
        let mut closed = Vec::new();
        let mut detail = String::new();
        for (item, connection) in needed {
            if connection.repair() != Repair::Oauth {
                open.push((item, connection));
                continue;
            }
            let credentials = match self.access.credentials(&member.id).await {
                Ok(credentials) => credentials,
                Err(error) => return Err(self.wait(claim, "no_token", &error)),
            };
            let (source, id) = (&connection.connection.id, &connection.gateway_id);
            let way =
                self.access
                    .call_as(&member.id, credentials, |token| async move {
                        self.gateway.oauth_url(&token, id).await
                    })
                    .await;
            match way {
                Ok(_url) => {
                    self.store.source_verified(source, &member.id, self.clock.now()).await?;
                    open.push((item, connection));
                }
                Err(CallError::Gateway(error)) if error.verdict() == Verdict::Permanent => {
                    tracing::warn!(member = %member.id, connection = %source, %error, "no way to reconnect");
                    detail = error.to_string();
                    closed.push(source.clone());
                }
                Err(error) => return Err(self.wait(claim, "way_unclear", &error)),
            }
        }
        if open.is_empty() && !closed.is_empty() {
            return Err(End::With(self.no_way(claim, &closed, detail).await?));
        }
        Ok(open)
    }
}
