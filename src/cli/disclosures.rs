//! `disclosures`: what an address received, and which pages were opened with its links.

use super::completion::Completion;
use super::context::Context;
use super::members::no_such_member;
use super::output::{Rows, errln};
use crate::domain::{EmailAddress, MemberId};
use crate::rows::{DisclosureRow, DisclosureWhat, disclosure_rows};
use crate::store::DisclosedTo;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct DisclosuresArgs {
    /// The member's id: what was sent about them, to whatever address
    #[arg(required_unless_present = "address", conflicts_with = "address")]
    member: Option<MemberId>,
    /// An email address: what it received, about whatever members
    #[arg(long, value_name = "ADDR")]
    address: Option<EmailAddress>,
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
    let shown = disclosure_rows(&found);
    if shown.is_empty() && !context.json {
        errln!("reconnectd: nothing was sent");
    }
    for row in &shown {
        let (members, connections, detail) =
            (row.member_ids.join(","), row.connections.join(","), detail(row));
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

/// What happened, for people.
fn detail(row: &DisclosureRow<'_>) -> String {
    let mut details = Vec::new();
    if row.resend == Some(true) {
        details.push("requested on a page".to_owned());
    }
    if row.outcome == Some("unknown") {
        details.push("may have arrived".to_owned());
    }
    if matches!(row.what, DisclosureWhat::Page | DisclosureWhat::Link) {
        details.push(match &row.opened_at {
            Some(at) => format!("opened by a person {at}"),
            None => "opened only by a scanner".to_owned(),
        });
        if row.last_viewed_at.is_none() {
            details.clear();
        }
        details.extend(row.redeemed_at.as_ref().map(|at| format!("button pressed {at}")));
    }
    details.join("; ")
}
