//! The email of an attempt, and the tokens that are stored before it can be sent.

use super::deliverer::Deliverer;
use super::outcome::{Abort, Step, abort_with};
use crate::base::random;
use crate::domain::{
    Connection, ConnectionId, Member, NoticeItem, NoticeReason, PlanningInput, Repair, Status,
};
use crate::mail::{ConnectionLabel, Email, NoticeEmail, Section, Template, Urgency};
use crate::store::{AttemptOutcome, Claim, Handover, HandoverContents, HandoverDecision, StoredConnection};
use chrono::TimeDelta;

/// An email and the items that it includes.
type RenderedNotice = (Email, Vec<NoticeItem>);

/// A verified email that waits for its tokens.
pub(super) struct Draft {
    kind: DraftKind,
    connections: Vec<StoredConnection>,
    /// The sources whose reconnect URL was fetched.
    sources: Vec<ConnectionId>,
}

enum DraftKind {
    /// One item for each connection.
    Reconnect(Vec<NoticeItem>),
    Invitation,
    /// The items.
    Recovery(Vec<NoticeItem>),
}

fn no_longer_needed() -> Abort {
    abort_with(AttemptOutcome::Cancelled, NoticeReason::NoLongerNeeded)
}

impl Deliverer {
    /// The email that asks the member to reconnect.
    pub(super) async fn draft_reconnect(&self, claim: &Claim, member: &Member) -> Step<Draft> {
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
        let (verified, sources) = self.verify_oauth_urls(claim, member, open).await?;
        let (items, connections) = verified.into_iter().unzip();
        Ok(Draft { kind: DraftKind::Reconnect(items), connections, sources })
    }

    /// The email about connections that recovered and still work.
    pub(super) async fn draft_recovery(&self, claim: &Claim) -> Step<Draft> {
        if !self.policy.announces_recoveries {
            return Err(abort_with(AttemptOutcome::Cancelled, NoticeReason::RecoveriesDisabled));
        }
        let recovered = self.store.items_still_recovered(&claim.notice.id).await?;
        if recovered.is_empty() {
            return Err(no_longer_needed());
        }
        let (items, connections) = recovered.into_iter().unzip();
        Ok(Draft { kind: DraftKind::Recovery(items), connections, sources: Vec::new() })
    }

    /// The email in which an operator invites the member to connect one source, with or without a lapse.
    pub(super) async fn draft_invitation(&self, claim: &Claim, member: &Member) -> Step<Draft> {
        let source = self.store.invitation_of(&claim.notice.id).await?;
        let Some(source) = source.filter(|source| source.connection.status != Some(Status::Connected)) else {
            return Err(no_longer_needed());
        };
        let (verified, sources) = self.verify_oauth_urls(claim, member, vec![((), source)]).await?;
        let connections = verified.into_iter().map(|(_, source)| source).collect();
        Ok(Draft { kind: DraftKind::Invitation, connections, sources })
    }

    /// Stores the hashes of the email's tokens and renders it. The store refuses if the email is no longer needed or its
    /// address must not receive it.
    pub(super) async fn prepare(&self, claim: &Claim, member: &Member, draft: Draft) -> Step<RenderedNotice> {
        let Draft { kind, mut connections, sources } = draft;
        let (link, unsubscribe, now) = (random::link_token(), random::link_token(), self.clock.now());
        let expires_at = now + TimeDelta::from_std(self.link_ttl).unwrap_or(TimeDelta::days(7));
        let address = member.email.address_hash();
        let contents = match &kind {
            DraftKind::Reconnect(items) => {
                HandoverContents::Reconnect { link: link.hash(), expires_at, items }
            }
            DraftKind::Invitation => HandoverContents::Invitation { link: link.hash(), expires_at },
            DraftKind::Recovery(_) => HandoverContents::Recovery,
        };
        let handover = Handover {
            notice: &claim.notice.id,
            attempt: claim.attempt,
            member: &member.id,
            address,
            unsubscribe: unsubscribe.hash(),
            contents,
            verified: &sources,
            now,
        };
        let gates = |input: &PlanningInput| self.evaluate_gates(claim, input, now);
        let stored = match self.store.prepare_handover(&handover, gates).await? {
            HandoverDecision::Permitted { items } => items,
            HandoverDecision::NotNeeded => return Err(no_longer_needed()),
            HandoverDecision::Deferred { until, reason } => {
                return Err(Abort::PutBack { until: Some(until), reason });
            }
            HandoverDecision::Held(reason) => return Err(Abort::PutBack { until: None, reason }),
            HandoverDecision::Rejected(reason) => return Err(abort_with(AttemptOutcome::Cancelled, reason)),
            HandoverDecision::RecipientChanged => {
                let current = self.recipient(claim).await?;
                return Err(if current.email.address_hash() == address {
                    no_longer_needed()
                } else {
                    self.address_changed()
                });
            }
        };
        let (template, urgency, link, included) = match kind {
            DraftKind::Reconnect(mut items) => {
                let mut each = items.iter();
                connections.retain(|_| each.next().is_some_and(|item| stored.contains(item)));
                items.retain(|item| stored.contains(item));
                let template = template(&items, &connections);
                (template, self.urgency(&items, &connections), Some(link), stored)
            }
            DraftKind::Invitation => (Template::Invited, Urgency::First, Some(link), Vec::new()),
            DraftKind::Recovery(items) => (Template::Recovered, Urgency::First, None, items),
        };
        let notice = NoticeEmail {
            id: claim.notice.id.clone(),
            to: member.email.clone(),
            locale: member.locale.clone(),
            template,
            urgency,
            sections: vec![Section {
                label: None,
                link,
                connections: connections.iter().map(label).collect(),
            }],
            unsubscribe: Some(unsubscribe),
            ttl: self.link_ttl,
            date: now,
        };
        // Only the operator can fix a template, so the notice waits.
        let email = self.renderer.render(&notice).map_err(|error| {
            tracing::warn!(member = %member.id, notice = %claim.notice.id, %error, "cannot render the email");
            self.defer(claim, NoticeReason::RenderFailed, Some(error.to_string()))
        })?;
        Ok((email, included))
    }

    fn urgency(&self, items: &[NoticeItem], connections: &[StoredConnection]) -> Urgency {
        let is_last = |(item, connection): (&NoticeItem, &StoredConnection)| {
            let status = connection.connection.status.as_ref();
            let reminders =
                status.and_then(|status| self.policy.for_status(status)).map_or(0, |p| p.reminders.len());
            item.step as usize >= reminders
        };
        if items.iter().any(|item| item.step == 0) {
            Urgency::First
        } else if items.iter().zip(connections).all(is_last) {
            Urgency::LastReminder
        } else {
            Urgency::Reminder
        }
    }
}

fn template(items: &[NoticeItem], connections: &[StoredConnection]) -> Template {
    let ([item], [connection]) = (items, connections) else { return Template::Several };
    match item.step {
        0 if connection.connection.status == Some(Status::Disconnected) => Template::Disconnected,
        0 => Template::Expired,
        _ => Template::Reminder,
    }
}

fn label(connection: &StoredConnection) -> ConnectionLabel {
    ConnectionLabel {
        name: connection.connection.source.name.clone(),
        source_type: connection.connection.source.source_type.clone(),
        needs_sign_in: connection.repair() == Repair::Oauth,
    }
}
