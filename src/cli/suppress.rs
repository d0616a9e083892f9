//! `suppress …`. The store has only hashes of addresses, so reports name members instead.

use super::completion::Completion;
use super::context::Context;
use super::output::{PAGE, Rows, outln, print_json};
use crate::domain::{AddressHash, EmailAddress, MemberId, Suppression};
use crate::rows::{RemovedSuppressionRow, SuppressionRow};
use crate::store::{ListedSuppression, Store};
use anyhow::Context as _;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum SuppressCommand {
    /// Suppress an address and cancel its queued notices
    Add {
        /// Email address of a member, or any other
        #[arg(value_name = "ADDR")]
        address: EmailAddress,
    },
    /// List suppressed addresses by their members; only hashes of the addresses are stored
    List,
    /// Allow email to an address again, even if its member unsubscribed
    Remove {
        /// Email address
        #[arg(value_name = "ADDR")]
        address: EmailAddress,
    },
}

pub(super) async fn run(context: &Context, command: &SuppressCommand) -> anyhow::Result<Completion> {
    match command {
        SuppressCommand::Add { address } => add(context, &context.store_to_write().await?, address).await,
        SuppressCommand::List => list(context, &context.store().await?).await,
        SuppressCommand::Remove { address } => {
            remove(context, &context.store_to_write().await?, address).await
        }
    }
}

async fn suppressions_of(store: &Store, address: AddressHash) -> anyhow::Result<Vec<ListedSuppression>> {
    Ok(store.suppressions(Some(address), None, PAGE).await?)
}

async fn add(context: &Context, store: &Store, address: &EmailAddress) -> anyhow::Result<Completion> {
    let address = address.address_hash();
    let added = store.suppress(address, Suppression::Operator, context.clock.now()).await?;
    let listed = suppressions_of(store, address).await?;
    // The member can have unsubscribed, too. That is another suppression.
    let by_operator = listed.iter().find(|listed| listed.reason == Suppression::Operator);
    let listed = by_operator.context("another process removed the suppression at the same time")?;
    if context.json {
        print_json(&SuppressionRow::from(listed))?;
    } else {
        let state = if added { "now" } else { "already" };
        outln!("the address is {state} suppressed; {}", owners(&listed.members));
    }
    Ok(Completion::Complete)
}

async fn remove(context: &Context, store: &Store, address: &EmailAddress) -> anyhow::Result<Completion> {
    let address = address.address_hash();
    let listed = suppressions_of(store, address).await?;
    let removed = store.unsuppress(address, context.clock.now()).await?;
    let members = listed.first().map(|listed| &listed.members[..]).unwrap_or_default();
    if context.json {
        let member_ids = members.iter().map(MemberId::as_str).collect();
        print_json(&RemovedSuppressionRow { member_ids, removed })?;
    } else if removed {
        outln!("the address is no longer suppressed; {}", owners(members));
    } else {
        outln!("the address was not suppressed");
    }
    Ok(Completion::Complete)
}

fn owners(members: &[MemberId]) -> String {
    match members {
        [] => "no enrolled member has it".to_owned(),
        members => {
            let ids: Vec<_> = members.iter().map(MemberId::as_str).collect();
            format!("it belongs to {}", ids.join(", "))
        }
    }
}

async fn list(context: &Context, store: &Store) -> anyhow::Result<Completion> {
    let mut rows = Rows::new(context.json, &[("SINCE", 24), ("REASON", 12), ("MEMBERS", 0)]);
    let mut after: Option<ListedSuppression> = None;
    loop {
        let page = store.suppressions(None, after.as_ref(), PAGE).await?;
        for row in page.iter().map(SuppressionRow::from) {
            rows.row(&row, &[&row.created_at, row.reason, &row.member_ids.join(", ")])?;
        }
        match page.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => return Ok(Completion::Complete),
        }
    }
}
