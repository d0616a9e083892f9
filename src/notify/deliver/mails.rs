//! The mails that an attempt can come to, and what is kept of each before it can be sent.

use super::Deliverer;
use super::endings::{End, Step, end};
use crate::base::random;
use crate::domain::{LinkToken, Member, NoticeItem, Status, Time};
use crate::mail::{ConnectionLabel, Email, NoticeEmail, Template};
use crate::store::{AttemptOutcome, Claim, StoredConnection};
use chrono::TimeDelta;

/// A mail, and the items that it speaks of.
type About = (Email, Vec<NoticeItem>);

fn unneeded() -> End {
    end(AttemptOutcome::Cancelled, "no_longer_needed", None)
}

/// An item, and the connection that it is about.
type Needed = (NoticeItem, StoredConnection);

fn items(about: Vec<Needed>) -> Vec<NoticeItem> {
    about.into_iter().map(|(item, _)| item).collect()
}

impl Deliverer {
    /// The mail that asks for connections to be repaired.
    pub(super) async fn reconnect(&self, claim: &Claim, member: &Member) -> Step<About> {
        let mut needed = self.store.still_needed(&claim.notice.id).await?;
        if needed.is_empty() {
            return Err(unneeded());
        }
        // Nobody is asked to repair what may be gone. What is left out is planned anew once its row is back.
        needed.retain(|(_, connection)| !connection.is_missing);
        if needed.is_empty() {
            return Err(End::With(self.wait_for(claim, "connection_missing", None)));
        }
        let open = self.prove_open(claim, member, needed).await?;
        let (token, about) = self.keep_link(claim, member, open).await?;
        let mail = self.write(claim, member, self.kind(&about), Some(token), &about).await?;
        Ok((mail, items(about)))
    }

    /// The mail that tells of recovery, as far as it is still true.
    pub(super) async fn recovery(&self, claim: &Claim, member: &Member) -> Step<About> {
        let about = self.store.still_recovered(&claim.notice.id).await?;
        if about.is_empty() {
            return Err(unneeded());
        }
        let mail = self.write(claim, member, Template::Recovered, None, &about).await?;
        Ok((mail, items(about)))
    }

    /// The mail that an operator asked for: to connect one source, whether or not there is a lapse.
    pub(super) async fn invitation(&self, claim: &Claim, member: &Member) -> Step<Email> {
        let source = self.store.invitation_of(&claim.notice.id).await?;
        let Some(source) = source.filter(|source| source.connection.status != Some(Status::Connected)) else {
            return Err(unneeded());
        };
        let about = self.prove_open(claim, member, vec![((), source)]).await?;
        let (token, now) = (random::link_token(), self.clock.now());
        let from = (&claim.notice.id, claim.attempt);
        if !self.store.add_invitation_link(token.hash(), from, now, self.expiry(now)).await? {
            return Err(unneeded());
        }
        self.write(claim, member, Template::Invited, Some(token), &about).await
    }

    fn expiry(&self, now: Time) -> Time {
        now + TimeDelta::from_std(self.link_ttl).unwrap_or(TimeDelta::days(7))
    }

    /// Keeps a fresh link before any mail can hold it.
    async fn keep_link(
        &self,
        claim: &Claim,
        member: &Member,
        open: Vec<Needed>,
    ) -> Step<(LinkToken, Vec<Needed>)> {
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
            return Err(unneeded());
        }
        Ok((token, about))
    }

    /// Writes the mail, once what stops the mails is kept. That is refused to one who gets none, at the last moment.
    async fn write<T>(
        &self,
        claim: &Claim,
        member: &Member,
        kind: Template,
        link: Option<LinkToken>,
        about: &[(T, StoredConnection)],
    ) -> Step<Email> {
        let (stop, now) = (random::link_token(), self.clock.now());
        let from = (&claim.notice.id, claim.attempt);
        if !self.store.add_unsubscribe(stop.hash(), from, now).await? {
            let suppressed = self.store.is_suppressed(&member.id).await?;
            return Err(if suppressed {
                end(AttemptOutcome::Cancelled, "suppressed", None)
            } else {
                unneeded()
            });
        }
        let notice = NoticeEmail {
            id: claim.notice.id.clone(),
            to: member.email.clone(),
            locale: member.locale.clone(),
            kind,
            link,
            unsubscribe: Some(stop),
            connections: about
                .iter()
                .map(|(_, connection)| ConnectionLabel {
                    name: connection.connection.name.clone(),
                    source_type: connection.connection.source_type.clone(),
                })
                .collect(),
            ttl: self.link_ttl,
            date: now,
        };
        // The templates are ours to put right: the notice waits for that.
        self.renderer.render(&notice).map_err(|error| {
            tracing::warn!(member = %member.id, notice = %claim.notice.id, %error, "the email cannot be written");
            End::With(self.wait_for(claim, "cannot_be_written", Some(error.to_string())))
        })
    }

    fn kind(&self, about: &[Needed]) -> Template {
        let [(item, connection)] = about else { return Template::Several };
        let disconnected = connection.connection.status == Some(Status::Disconnected);
        let reminders = if disconnected { self.reminders.disconnected } else { self.reminders.expired };
        match item.step {
            0 if disconnected => Template::Disconnected,
            0 => Template::Expired,
            step if step >= reminders => Template::LastReminder,
            _ => Template::Reminder,
        }
    }
}
