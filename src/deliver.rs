//! Actor: one notice, from the queue to the mail server.
//!
//! Claim with a lease and commit; a second look at the gateway; prove that the way to repair is open; keep the link;
//! send; record. A crash after the server's acceptance and before our commit can send the same notice again, under
//! the same Message-ID; nothing else can.

mod endings;

use crate::access::{Access, AskError};
use crate::clock::Clock;
use crate::domain::{Cause, Connection, LinkToken, Member, NoticeItem, Repair, Status, Time};
use crate::gateway::{Gateway, Verdict};
use crate::mail::{self, Kind, Named, NoticeMail, Renderer, Transport};
use crate::observe::Observer;
use crate::random;
use crate::store::{AttemptOutcome, Claim, Ending, Store, StoreError};
use crate::telemetry::metrics;
use chrono::TimeDelta;
use endings::{End, Step, end};
use std::sync::Arc;
use std::time::Duration;

/// A claim runs out after this, should its holder die. An attempt that takes longer keeps no link, and so sends nothing.
const LEASE: TimeDelta = TimeDelta::minutes(15);
/// How often a notice may be handed over without our learning what came of it: each time may have been a mail.
const UNCONFIRMED_CAP: u32 = 4;

/// What delivering needs. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    /// Where notices, attempts and links are.
    pub store: Store,
    /// For the second look.
    pub observer: Observer,
    /// To ask the gateway as the member.
    pub access: Access,
    /// For the reconnect URL.
    pub gateway: Gateway,
    /// The time.
    pub clock: Clock,
    /// Writes the mail.
    pub renderer: Arc<Renderer>,
    /// Sends it.
    pub transport: Arc<Transport>,
    /// How long a link lives.
    pub link_ttl: Duration,
    /// How many reminders follow the first mail: the last one says so.
    pub reminders: Reminders,
}

/// How many reminders follow the first mail, by status.
#[derive(Clone, Copy, Debug)]
pub struct Reminders {
    /// Of an EXPIRED connection.
    pub expired: u32,
    /// Of a DISCONNECTED one.
    pub disconnected: u32,
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
        metrics::notice(ending.outcome.as_str());
        tracing::info!(member = %claim.notice.member_id, notice = %claim.notice.id, attempt = claim.attempt,
            outcome = ending.outcome.as_str(), reason = ending.reason, detail = ending.detail, "delivery");
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
        self.second_look(claim, &member).await?;
        // Before a link is kept: an attempt that is cut off while it waits for its turn has handed nothing over.
        self.transport.turn().await;
        let (mail, items) = match self.store.invitation_of(&claim.notice.id).await? {
            Some(source) => (self.invitation(claim, &member, source).await?, Vec::new()),
            None => {
                let needed = self.still_needed(claim).await?;
                let open = self.prove_open(claim, &member, needed).await?;
                let (token, about) = self.keep_link(claim, &member, open).await?;
                let mail = self.write(claim, &member, &token, self.kind(&about), &about)?;
                (mail, about.into_iter().map(|(item, _)| item).collect())
            }
        };
        match self.transport.send(&mail).await {
            Ok(accepted) => {
                told.extend(items);
                let detail = Some(accepted.reply).filter(|reply| !reply.is_empty());
                Ok(Ending { outcome: AttemptOutcome::Sent, reason: "accepted", detail, again_at: None })
            }
            Err(error) => {
                let (ending, wait) = self.refused(claim, &error);
                *queue_waits = wait;
                Ok(ending)
            }
        }
    }

    /// The mail that an operator asked for: to connect one source, whether or not there is a lapse.
    async fn invitation(&self, claim: &Claim, member: &Member, source: Connection) -> Step<mail::Mail> {
        let unneeded = || end(AttemptOutcome::Cancelled, "no_longer_needed", None);
        if source.status == Some(Status::Connected) {
            return Err(unneeded());
        }
        let about = self.prove_open(claim, member, vec![((), source)]).await?;
        let (token, now) = (random::link_token(), self.clock.now());
        let from = (&claim.notice.id, claim.attempt);
        if !self.store.add_invitation_link(token.hash(), from, now, self.expiry(now)).await? {
            return Err(unneeded());
        }
        self.write(claim, member, &token, Kind::Invited, &about)
    }

    fn expiry(&self, now: Time) -> Time {
        now + TimeDelta::from_std(self.link_ttl).unwrap_or(TimeDelta::days(7))
    }

    /// Asks the gateway again just before sending. What it finds is taken in, so that a recovered connection's lapse
    /// is closed before [`Self::still_needed`] looks.
    async fn second_look(&self, claim: &Claim, member: &Member) -> Step<()> {
        match self.observer.poll(&member.id, Cause::SecondLook).await {
            Ok(_) => Ok(()),
            Err(AskError::Store(error)) => Err(End::Broken(error)),
            Err(error) => Err(self.wait(claim, "second_look_unclear", &error)),
        }
    }

    async fn still_needed(&self, claim: &Claim) -> Step<Vec<(NoticeItem, Connection)>> {
        let needed = self.store.still_needed(&claim.notice.id).await?;
        if needed.is_empty() {
            return Err(end(AttemptOutcome::Cancelled, "no_longer_needed", None));
        }
        Ok(needed.into_iter().map(|(item, stored)| (item, stored.connection)).collect())
    }

    /// Fetches the reconnect URL of each OAuth connection, to know that the member will not be led into a wall, and
    /// forgets it at once. A connection for which there is none for good is left out of the mail.
    async fn prove_open<T>(
        &self,
        claim: &Claim,
        member: &Member,
        needed: Vec<(T, Connection)>,
    ) -> Step<Vec<(T, Connection)>> {
        let mut open = Vec::new();
        let mut closed = None;
        for (item, connection) in needed {
            if connection.repair() != Repair::Oauth {
                open.push((item, connection));
                continue;
            }
            let grant = match self.access.grant(&member.id).await {
                Ok(grant) => grant,
                Err(error) => return Err(self.wait(claim, "no_token", &error)),
            };
            let id = &connection.id;
            let way = self
                .access
                .ask(&member.id, grant, |token| async move { self.gateway.oauth_url(&token, id).await })
                .await;
            match way {
                Ok(_url) => open.push((item, connection)),
                Err(AskError::Gateway(error)) if error.verdict() == Verdict::Permanent => {
                    tracing::warn!(member = %member.id, connection = %id, %error, "no way to reconnect");
                    closed = Some(error.to_string());
                }
                Err(error) => return Err(self.wait(claim, "way_unclear", &error)),
            }
        }
        match closed {
            Some(detail) if open.is_empty() => {
                Err(self.retry_or_give_up(claim, "no_way_to_reconnect", detail))
            }
            _ => Ok(open),
        }
    }

    /// Keeps a fresh link before any mail can hold it.
    async fn keep_link(
        &self,
        claim: &Claim,
        member: &Member,
        open: Vec<(NoticeItem, Connection)>,
    ) -> Step<(LinkToken, Vec<(NoticeItem, Connection)>)> {
        let now = self.clock.now();
        let token = random::link_token();
        let items: Vec<NoticeItem> = open.iter().map(|(item, _)| item.clone()).collect();
        let kept = self
            .store
            .add_link(
                token.hash(),
                (&claim.notice.id, claim.attempt),
                &member.id,
                &items,
                now,
                self.expiry(now),
            )
            .await?;
        let about: Vec<_> = open.into_iter().filter(|(item, _)| kept.contains(item)).collect();
        if about.is_empty() {
            return Err(end(AttemptOutcome::Cancelled, "no_longer_needed", None));
        }
        Ok((token, about))
    }

    fn write<T>(
        &self,
        claim: &Claim,
        member: &Member,
        token: &LinkToken,
        kind: Kind,
        about: &[(T, Connection)],
    ) -> Step<mail::Mail> {
        let notice = NoticeMail {
            id: claim.notice.id.clone(),
            to: member.email.clone(),
            locale: member.locale.clone(),
            kind,
            link: Some(token.clone()),
            unsubscribe: None,
            connections: about
                .iter()
                .map(|(_, connection)| Named {
                    name: connection.name.clone(),
                    source_type: connection.source_type.clone(),
                })
                .collect(),
            ttl: self.link_ttl,
            date: self.clock.now(),
        };
        self.renderer
            .render(&notice)
            .map_err(|error| end(AttemptOutcome::Abandoned, "cannot_be_written", Some(error.to_string())))
    }

    fn kind(&self, about: &[(NoticeItem, Connection)]) -> Kind {
        let [(item, connection)] = about else { return Kind::Several };
        let disconnected = connection.status == Some(Status::Disconnected);
        let reminders = if disconnected { self.reminders.disconnected } else { self.reminders.expired };
        match item.step {
            0 if disconnected => Kind::Disconnected,
            0 => Kind::Expired,
            step if step >= reminders => Kind::LastReminder,
            _ => Kind::Reminder,
        }
    }
}
