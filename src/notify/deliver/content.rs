//! The email of an attempt, and the tokens that are stored before it can be sent.

use super::deliverer::Deliverer;
use super::outcome::{Abort, Step, abort_with};
use crate::base::random;
use crate::domain::{Connection, LinkToken, Member, NoticeItem, NoticeReason, Repair, Status, Time};
use crate::mail::{ConnectionLabel, Email, NoticeEmail, Template};
use crate::store::{AttemptOutcome, Claim, StoredConnection};
use chrono::TimeDelta;

/// An email and the items that it includes.
type RenderedNotice = (Email, Vec<NoticeItem>);

type ItemConnection = (NoticeItem, StoredConnection);

fn no_longer_needed() -> Abort {
    abort_with(AttemptOutcome::Cancelled, NoticeReason::NoLongerNeeded)
}

fn items(connections: Vec<ItemConnection>) -> Vec<NoticeItem> {
    connections.into_iter().map(|(item, _)| item).collect()
}

impl Deliverer {
    /// The email that asks the member to reconnect.
    pub(super) async fn reconnect(&self, claim: &Claim, member: &Member) -> Step<RenderedNotice> {
        let mut open = self.store.items_still_open(&claim.notice.id).await?;
        if open.is_empty() {
            return Err(no_longer_needed());
        }
        if !claim.is_resend {
            open.retain(|(_, stored)| {
                let Connection { status, source, .. } = &stored.connection;
                status.as_ref().is_some_and(|status| self.policy.is_enabled(status, source.repair()))
            });
        }
        if open.is_empty() {
            return Err(abort_with(AttemptOutcome::Cancelled, NoticeReason::StatusDisabled));
        }
        // A missing connection may be gone. The planner plans it again when its row returns.
        open.retain(|(_, connection)| !connection.is_missing);
        if open.is_empty() {
            return Err(self.defer(claim, NoticeReason::ConnectionMissing, None));
        }
        let verified = self.verify_oauth_urls(claim, member, open).await?;
        let (token, included) = self.store_link(claim, member, verified).await?;
        let email = self.render(claim, member, self.template(&included), Some(token), &included).await?;
        Ok((email, items(included)))
    }

    /// The email about connections that recovered and still work.
    pub(super) async fn recovery(&self, claim: &Claim, member: &Member) -> Step<RenderedNotice> {
        if !self.policy.announces_recoveries {
            return Err(abort_with(AttemptOutcome::Cancelled, NoticeReason::RecoveriesDisabled));
        }
        let recovered = self.store.items_still_recovered(&claim.notice.id).await?;
        if recovered.is_empty() {
            return Err(no_longer_needed());
        }
        let email = self.render(claim, member, Template::Recovered, None, &recovered).await?;
        Ok((email, items(recovered)))
    }

    /// The email in which an operator invites the member to connect one source, with or without a lapse.
    pub(super) async fn invitation(&self, claim: &Claim, member: &Member) -> Step<Email> {
        let source = self.store.invitation_of(&claim.notice.id).await?;
        let Some(source) = source.filter(|source| source.connection.status != Some(Status::Connected)) else {
            return Err(no_longer_needed());
        };
        let included = self.verify_oauth_urls(claim, member, vec![((), source)]).await?;
        let (token, now) = (random::link_token(), self.clock.now());
        let attempt = (&claim.notice.id, claim.attempt);
        if !self.store.add_invitation_link(token.hash(), attempt, now, self.expiry(now)).await? {
            return Err(no_longer_needed());
        }
        self.render(claim, member, Template::Invited, Some(token), &included).await
    }

    fn expiry(&self, now: Time) -> Time {
        now + TimeDelta::from_std(self.link_ttl).unwrap_or(TimeDelta::days(7))
    }

    /// Stores the hash of a fresh link before any email can contain it.
    async fn store_link(
        &self,
        claim: &Claim,
        member: &Member,
        connections: Vec<ItemConnection>,
    ) -> Step<(LinkToken, Vec<ItemConnection>)> {
        let now = self.clock.now();
        let token = random::link_token();
        let items: Vec<NoticeItem> = connections.iter().map(|(item, _)| item.clone()).collect();
        let attempt = (&claim.notice.id, claim.attempt);
        let stored =
            self.store.add_link(token.hash(), attempt, &member.id, &items, now, self.expiry(now)).await?;
        let included: Vec<_> = connections.into_iter().filter(|(item, _)| stored.contains(item)).collect();
        if included.is_empty() {
            return Err(no_longer_needed());
        }
        Ok((token, included))
    }

    /// Stores the unsubscribe token and renders the email. The store refuses the token if the address was suppressed
    /// in the meantime.
    async fn render<T>(
        &self,
        claim: &Claim,
        member: &Member,
        template: Template,
        link: Option<LinkToken>,
        connections: &[(T, StoredConnection)],
    ) -> Step<Email> {
        let (unsubscribe, now) = (random::link_token(), self.clock.now());
        let (attempt, address) = ((&claim.notice.id, claim.attempt), member.email.address_hash());
        if !self.store.add_unsubscribe(unsubscribe.hash(), attempt, address, now).await? {
            let current = self.recipient(claim).await?;
            return Err(if current.email.address_hash() == address {
                no_longer_needed()
            } else {
                self.address_changed()
            });
        }
        let notice = NoticeEmail {
            id: claim.notice.id.clone(),
            to: member.email.clone(),
            locale: member.locale.clone(),
            template,
            link,
            unsubscribe: Some(unsubscribe),
            connections: connections
                .iter()
                .map(|(_, connection)| ConnectionLabel {
                    name: connection.connection.source.name.clone(),
                    source_type: connection.connection.source.source_type.clone(),
                    needs_sign_in: connection.repair() == Repair::Oauth,
                })
                .collect(),
            ttl: self.link_ttl,
            date: now,
        };
        // Only the operator can fix a template, so the notice waits.
        self.renderer.render(&notice).map_err(|error| {
            tracing::warn!(member = %member.id, notice = %claim.notice.id, %error, "cannot render the email");
            self.defer(claim, NoticeReason::RenderFailed, Some(error.to_string()))
        })
    }

    fn template(&self, included: &[ItemConnection]) -> Template {
        let [(item, connection)] = included else { return Template::Several };
        let status = connection.connection.status.as_ref();
        let reminders =
            status.and_then(|status| self.policy.for_status(status)).map_or(0, |p| p.reminders.len());
        match item.step {
            0 if status == Some(&Status::Disconnected) => Template::Disconnected,
            0 => Template::Expired,
            step if step as usize >= reminders => Template::LastReminder,
            _ => Template::Reminder,
        }
    }
}
