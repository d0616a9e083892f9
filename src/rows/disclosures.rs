use super::time::{optional_time, time};
use crate::domain::{ConnectionId, MemberId};
use crate::store::{DisclosedEmail, DisclosedLink, Disclosures};
use serde::Serialize;

/// One object per line: first the email, then each of its pages that was opened.
#[derive(Serialize)]
pub(crate) struct DisclosureRow<'a> {
    pub(crate) at: String,
    pub(crate) what: DisclosureWhat,
    pub(crate) notice_id: Option<&'a str>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) resend: Option<bool>,
    pub(crate) disclosure: Option<&'a str>,
    /// `sent`, or `unknown`.
    pub(crate) outcome: Option<&'static str>,
    pub(crate) member_ids: Vec<&'a str>,
    pub(crate) connections: Vec<&'a str>,
    pub(crate) opened_at: Option<String>,
    pub(crate) last_viewed_at: Option<String>,
    pub(crate) redeemed_at: Option<String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisclosureWhat {
    Email,
    /// A link that the operator's receiver of events got instead.
    Event,
    /// A page that somebody, or a mail scanner, opened with a link of the email.
    Page,
    /// A link that the operator handed over.
    Link,
}

impl DisclosureWhat {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Event => "event",
            Self::Page => "page",
            Self::Link => "link",
        }
    }
}

impl<'a> DisclosureRow<'a> {
    fn of_email(email: &'a DisclosedEmail) -> Self {
        Self {
            at: time(email.at),
            what: if email.is_event { DisclosureWhat::Event } else { DisclosureWhat::Email },
            notice_id: Some(email.notice.as_str()),
            kind: Some(email.kind.as_str()),
            resend: Some(email.is_resend),
            disclosure: email.disclosure.as_deref(),
            outcome: Some(if email.is_sent { "sent" } else { "unknown" }),
            member_ids: email.members.iter().map(MemberId::as_str).collect(),
            connections: email.connections.iter().map(ConnectionId::as_str).collect(),
            opened_at: None,
            last_viewed_at: None,
            redeemed_at: None,
        }
    }

    fn of_link(link: &'a DisclosedLink, email: Option<&'a DisclosedEmail>) -> Self {
        let first_view = link.opened_at.or(link.last_viewed_at).filter(|_| email.is_some());
        Self {
            at: time(first_view.unwrap_or(link.created_at)),
            what: if email.is_some() { DisclosureWhat::Page } else { DisclosureWhat::Link },
            notice_id: email.map(|email| email.notice.as_str()),
            kind: None,
            resend: None,
            disclosure: None,
            outcome: None,
            member_ids: vec![link.member.as_str()],
            connections: link.connections.iter().map(ConnectionId::as_str).collect(),
            opened_at: optional_time(link.opened_at),
            last_viewed_at: optional_time(link.last_viewed_at),
            redeemed_at: optional_time(link.redeemed_at),
        }
    }
}

/// Oldest first: each email, then each of its pages that was opened. Then the links that the operator handed over.
pub(crate) fn disclosure_rows(found: &Disclosures) -> Vec<DisclosureRow<'_>> {
    let mut rows = Vec::new();
    for email in &found.emails {
        rows.push(DisclosureRow::of_email(email));
        let opened = email.links.iter().filter(|link| link.last_viewed_at.or(link.redeemed_at).is_some());
        rows.extend(opened.map(|link| DisclosureRow::of_link(link, Some(email))));
    }
    rows.extend(found.handed_over.iter().map(|link| DisclosureRow::of_link(link, None)));
    rows
}
