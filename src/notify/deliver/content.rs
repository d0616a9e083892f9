//! The email of an attempt, and the tokens that are stored before it can be sent.

use super::deliverer::Deliverer;
use super::outcome::{Abort, Step, abort_with};
use super::ready::{LeftOut, Ready};
use super::wording::{label, template, urgency};
use crate::base::random;
use crate::domain::{
    AddressHash, Connection, ConnectionId, EmailAddress, LinkToken, Member, MemberId, NoticeItem,
    NoticeReason, PlanningInput, Status, Time,
};
use crate::mail::{Email, NoticeEmail, Section, Template, Urgency};
use crate::store::{
    AttemptOutcome, Claim, DISCLOSED_BY_EVENT, Handover, HandoverContents, HandoverDecision,
    HandoverRecipient, StoredConnection,
};
use chrono::TimeDelta;

/// An email and the items that it includes.
type RenderedNotice = (Email, Vec<NoticeItem>);

/// A verified email that waits for its tokens.
pub(super) struct Draft {
    contents: HandoverContents,
    /// One for each member in the email, at least one, in the order of their ids.
    parts: Vec<Part>,
}

/// What the email says to one member.
struct Part {
    member: Member,
    /// In the order of the connections; empty in an invitation.
    items: Vec<NoticeItem>,
    connections: Vec<StoredConnection>,
    /// The sources whose reconnect URL was fetched.
    verified: Vec<ConnectionId>,
}

/// A notice whose tokens are stored.
pub(super) struct Prepared {
    contents: HandoverContents,
    to: EmailAddress,
    locale: Option<String>,
    unsubscribe: LinkToken,
    pub(super) now: Time,
    pub(super) included: Vec<NoticeItem>,
    pub(super) sections: Vec<PreparedSection>,
}

/// What the notice tells one member.
pub(super) struct PreparedSection {
    pub(super) member: Member,
    pub(super) link: Option<LinkToken>,
    pub(super) items: Vec<NoticeItem>,
    pub(super) connections: Vec<StoredConnection>,
}

fn no_longer_needed() -> Abort {
    abort_with(AttemptOutcome::Cancelled, NoticeReason::NoLongerNeeded)
}

impl Deliverer {
    /// The email that asks the members to reconnect.
    pub(super) async fn draft_reconnect(
        &self,
        claim: &Claim,
        recipients: Vec<Member>,
        left_out: &mut LeftOut,
    ) -> Step<Draft> {
        let open = self.store.items_still_open(&claim.notice.id).await?;
        let mut parts = Ready::default();
        for member in recipients {
            let of_member = open.iter().filter(|(item, _)| item.member_id == member.id).cloned().collect();
            let id = member.id.clone();
            parts.add(&id, self.part(claim, member, of_member).await)?;
        }
        Ok(Draft { contents: HandoverContents::Reconnect, parts: parts.members(left_out)? })
    }

    async fn part(
        &self,
        claim: &Claim,
        member: Member,
        mut open: Vec<(NoticeItem, StoredConnection)>,
    ) -> Step<Part> {
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
        let (open, verified) = self.verify_oauth_urls(claim, &member, open).await?;
        let (items, connections) = open.into_iter().unzip();
        Ok(Part { member, items, connections, verified })
    }

    /// The email about connections that recovered and still work.
    pub(super) async fn draft_recovery(&self, claim: &Claim, recipients: Vec<Member>) -> Step<Draft> {
        if !self.policy.announces_recoveries {
            return Err(abort_with(AttemptOutcome::Cancelled, NoticeReason::RecoveriesDisabled));
        }
        let (items, connections): (Vec<_>, Vec<_>) =
            self.store.items_still_recovered(&claim.notice.id).await?.into_iter().unzip();
        let member = recipients.into_iter().next().filter(|_| !items.is_empty());
        let member = member.ok_or_else(no_longer_needed)?;
        let part = Part { member, items, connections, verified: Vec::new() };
        Ok(Draft { contents: HandoverContents::Recovery, parts: vec![part] })
    }

    /// The email in which an operator invites the member to connect one source, with or without a lapse.
    pub(super) async fn draft_invitation(&self, claim: &Claim, recipients: Vec<Member>) -> Step<Draft> {
        let source = self.store.invitation_of(&claim.notice.id).await?;
        let source = source.filter(|source| source.connection.status != Some(Status::Connected));
        let (Some(source), Some(member)) = (source, recipients.into_iter().next()) else {
            return Err(no_longer_needed());
        };
        let (sources, verified) = self.verify_oauth_urls(claim, &member, vec![((), source)]).await?;
        let connections = sources.into_iter().map(|(_, source)| source).collect();
        let part = Part { member, items: Vec::new(), connections, verified };
        Ok(Draft { contents: HandoverContents::Invitation, parts: vec![part] })
    }

    /// Stores the hashes of the email's tokens and renders it. The store refuses if the email is no longer needed or its
    /// address must not receive it.
    pub(super) async fn prepare(&self, claim: &Claim, draft: Draft) -> Step<RenderedNotice> {
        let Prepared { contents, to, locale, unsubscribe, now, included, sections } =
            self.store_handover(claim, draft).await?;
        let (template, urgency) = match (contents, sections.as_slice()) {
            (HandoverContents::Invitation, _) => (Template::Invited, Urgency::First),
            (HandoverContents::Recovery, _) => (Template::Recovered, Urgency::First),
            (HandoverContents::Reconnect, sections) => {
                let all =
                    || sections.iter().flat_map(|section| section.items.iter().zip(&section.connections));
                (template(sections.len(), all()), urgency(&self.policy, all()))
            }
        };
        let notice = NoticeEmail {
            id: claim.notice.id.clone(),
            to,
            locale,
            template,
            urgency,
            sections: sections.into_iter().map(PreparedSection::into_email).collect(),
            unsubscribe: Some(unsubscribe),
            ttl: self.link_ttl,
            date: now,
        };
        // Only the operator can fix a template, so the notice waits.
        let email = self.renderer.render(&notice).map_err(|error| {
            let (member, notice) = (&claim.notice.member_id, &claim.notice.id);
            tracing::warn!(
                event = "email_not_rendered", member_id = %member, notice_id = %notice, %error,
                "cannot render the email"
            );
            self.defer(claim, NoticeReason::RenderFailed, Some(error.to_string()))
        })?;
        Ok((email, included))
    }

    /// Stores the hashes of the tokens, which means that the notice may have been handed over.
    pub(super) async fn store_handover(&self, claim: &Claim, draft: Draft) -> Step<Prepared> {
        let Draft { contents, parts } = draft;
        let Some(first) = parts.first() else { return Err(no_longer_needed()) };
        let to = first.member.email.clone();
        let (unsubscribe, now) = (random::link_token(), self.clock.now());
        let links: Vec<LinkToken> = parts.iter().map(|_| random::link_token()).collect();
        let recipient = |(part, link): (&Part, &LinkToken)| HandoverRecipient {
            member: part.member.id.clone(),
            link: link.hash(),
            items: part.items.clone(),
            verified: part.verified.clone(),
        };
        let recipients: Vec<HandoverRecipient> = parts.iter().zip(&links).map(recipient).collect();
        let handover = Handover {
            notice: &claim.notice.id,
            attempt: claim.attempt,
            contents,
            recipients: &recipients,
            address: to.address_hash(),
            unsubscribe: unsubscribe.hash(),
            disclosure: if self.receiver.is_some() { DISCLOSED_BY_EVENT } else { self.renderer.disclosure() },
            expires_at: now + TimeDelta::from_std(self.link_ttl).unwrap_or(TimeDelta::days(7)),
            now,
        };
        let included = self.store_tokens(claim, &handover).await?;
        let is_included = |part: &&Part| part.items.iter().any(|item| included.contains(item));
        let locale = parts.iter().find(is_included).unwrap_or(first).member.locale.clone();
        let with_links = parts.into_iter().zip(links);
        let sections =
            with_links.filter_map(|(part, link)| section(part, link, contents, &included)).collect();
        Ok(Prepared { contents, to, locale, unsubscribe, now, included, sections })
    }

    /// Returns the items that the email includes.
    async fn store_tokens(&self, claim: &Claim, handover: &Handover<'_>) -> Step<Vec<NoticeItem>> {
        let gates = |members: &[PlanningInput]| self.evaluate_gates(claim, members, handover.now);
        match self.store.prepare_handover(handover, gates).await? {
            HandoverDecision::Permitted { items } => Ok(items),
            HandoverDecision::NotNeeded => Err(no_longer_needed()),
            HandoverDecision::Deferred { until, reason } => {
                Err(Abort::PutBack { until: Some(until), reason })
            }
            HandoverDecision::Held(reason) => Err(Abort::PutBack { until: None, reason }),
            HandoverDecision::Rejected(reason) => Err(abort_with(AttemptOutcome::Cancelled, reason)),
            HandoverDecision::RecipientsChanged => {
                Err(self.why_changed(handover.recipients, handover.address).await?)
            }
        }
    }

    /// Nobody in the email may receive it at the address anymore.
    async fn why_changed(&self, recipients: &[HandoverRecipient], address: AddressHash) -> Step<Abort> {
        let ids: Vec<MemberId> = recipients.iter().map(|recipient| recipient.member.clone()).collect();
        let mut current = Ready::default();
        for member in &ids {
            current.add(member, self.recipient(member).await)?;
        }
        let has_address = |member: &Member| member.email.address_hash() == address;
        Ok(match current.members(&mut LeftOut::new()) {
            Err(obstacle) => obstacle,
            Ok(members) if members.iter().all(has_address) => no_longer_needed(),
            Ok(_) => self.address_changed(),
        })
    }
}

/// The part with the items and connections that the notice includes. `None`: the member drops out.
fn section(
    part: Part,
    link: LinkToken,
    contents: HandoverContents,
    included: &[NoticeItem],
) -> Option<PreparedSection> {
    let Part { member, mut items, mut connections, .. } = part;
    if contents == HandoverContents::Reconnect {
        let mut each = items.iter();
        connections.retain(|_| each.next().is_some_and(|item| included.contains(item)));
        items.retain(|item| included.contains(item));
        if items.is_empty() {
            return None;
        }
    }
    let link = (contents != HandoverContents::Recovery).then_some(link);
    Some(PreparedSection { member, link, items, connections })
}

impl PreparedSection {
    fn into_email(self) -> Section {
        let connections = self.connections.iter().map(label).collect();
        Section { label: self.member.label, link: self.link, connections }
    }
}
