//! `disclosures`: what an address received, and which pages were opened with its links.

use super::completion::Completion;
use super::context::Context;
use super::members::no_such_member;
use super::output::{Rows, errln, optional_time, time};
use crate::domain::{ConnectionId, EmailAddress, MemberId};
use crate::store::{DisclosedEmail, DisclosedLink, DisclosedTo};
use clap::Args;
use serde::Serialize;

#[derive(Debug, Args)]
pub(super) struct DisclosuresArgs {
    /// The member's id: what was sent about them, to whatever address
    #[arg(required_unless_present = "address", conflicts_with = "address")]
    member: Option<MemberId>,
    /// An email address: what it received, about whatever members
    #[arg(long, value_name = "ADDR")]
    address: Option<EmailAddress>,
}

/// One object per line: first the email, then each of its pages that was opened.
#[derive(Serialize)]
struct DisclosureRow<'a> {
    at: String,
    what: What,
    notice_id: Option<&'a str>,
    kind: Option<&'static str>,
    resend: Option<bool>,
    disclosure: Option<&'a str>,
    /// `sent`, or `unknown`.
    outcome: Option<&'static str>,
    member_ids: Vec<&'a str>,
    connections: Vec<&'a str>,
    opened_at: Option<String>,
    last_viewed_at: Option<String>,
    redeemed_at: Option<String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Email,
    /// A link that the operator's receiver of events got instead.
    Event,
    /// A page that somebody, or a mail scanner, opened with a link of the email.
    Page,
    /// A link that the operator handed over.
    Link,
}

impl What {
    fn as_str(self) -> &'static str {
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
            what: if email.is_event { What::Event } else { What::Email },
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
            what: if email.is_some() { What::Page } else { What::Link },
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

    /// What happened, for people.
    fn detail(&self) -> String {
        let mut details = Vec::new();
        if self.resend == Some(true) {
            details.push("requested on a page".to_owned());
        }
        if self.outcome == Some("unknown") {
            details.push("may have arrived".to_owned());
        }
        if matches!(self.what, What::Page | What::Link) {
            details.push(match &self.opened_at {
                Some(at) => format!("opened by a person {at}"),
                None => "opened only by a scanner".to_owned(),
            });
            if self.last_viewed_at.is_none() {
                details.clear();
            }
            details.extend(self.redeemed_at.as_ref().map(|at| format!("button pressed {at}")));
        }
        details.join("; ")
    }
}

/// Oldest first.
pub(super) async fn disclosures(
    context: &Context,
    arguments: &DisclosuresArgs,
) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let to = match (&arguments.member, &arguments.address) {
        (_, Some(address)) => DisclosedTo::Address(address.address_hash()),
        (Some(member), None) if !store.is_or_was_member(member).await? => return Err(no_such_member(member)),
        (Some(member), None) => DisclosedTo::Member(member),
        (None, None) => anyhow::bail!("name a member, or an address with --address"),
    };
    let found = store.disclosures(to).await?;
    let mut rows = Rows::new(
        context.json,
        &[
            ("AT", 24),
            ("WHAT", 5),
            ("KIND", 9),
            ("DISCLOSURE", 10),
            ("MEMBERS", 24),
            ("CONNECTIONS", 24),
            ("NOTICE", 36),
            ("DETAIL", 0),
        ],
    );
    let mut shown: Vec<DisclosureRow<'_>> = Vec::new();
    for email in &found.emails {
        shown.push(DisclosureRow::of_email(email));
        let opened = email.links.iter().filter(|link| link.last_viewed_at.or(link.redeemed_at).is_some());
        shown.extend(opened.map(|link| DisclosureRow::of_link(link, Some(email))));
    }
    shown.extend(found.handed_over.iter().map(|link| DisclosureRow::of_link(link, None)));
    if shown.is_empty() && !context.json {
        errln!("reconnectd: nothing was sent");
    }
    for row in &shown {
        let (members, connections, detail) =
            (row.member_ids.join(","), row.connections.join(","), row.detail());
        rows.row(
            row,
            &[
                &row.at,
                row.what.as_str(),
                row.kind.unwrap_or_default(),
                row.disclosure.unwrap_or_default(),
                &members,
                &connections,
                row.notice_id.unwrap_or_default(),
                &detail,
            ],
        )?;
    }
    Ok(Completion::Complete)
}
