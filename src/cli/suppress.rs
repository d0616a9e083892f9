//! `suppress …`: addresses that get no mail. They are not named here again: a hash is all that is kept of them.

use super::args::SuppressCommand;
use super::completion::Completion;
use super::context::Context;
use super::output::{Rows, outln, time};
use crate::domain::{AddressHash, EmailAddress, MemberId, Suppression};
use crate::store::{ListedSuppression, Store};
use serde::Serialize;

/// Rows read at a time.
const PAGE: u32 = 500;

#[derive(Serialize)]
struct SuppressionRow<'a> {
    member_ids: Vec<&'a str>,
    reason: &'static str,
    created_at: String,
}

fn row(listed: &ListedSuppression) -> SuppressionRow<'_> {
    SuppressionRow {
        member_ids: listed.members.iter().map(MemberId::as_str).collect(),
        reason: listed.reason.as_str(),
        created_at: time(listed.created_at),
    }
}

#[derive(Serialize)]
struct Removed<'a> {
    member_ids: Vec<&'a str>,
    removed: bool,
}

/// `suppress add|list|remove`.
pub(super) async fn suppress(context: &Context, command: &SuppressCommand) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    match command {
        SuppressCommand::Add { address } => add(context, &store, address).await,
        SuppressCommand::List => list(context, &store).await,
        SuppressCommand::Remove { address } => remove(context, &store, address).await,
    }
}

async fn of(store: &Store, address: AddressHash) -> anyhow::Result<Vec<ListedSuppression>> {
    Ok(store.suppressions(Some(address), None, PAGE).await?)
}

async fn add(context: &Context, store: &Store, address: &EmailAddress) -> anyhow::Result<Completion> {
    let address = address.address_hash();
    let added = store.suppress(address, Suppression::Operator, context.clock.now()).await?;
    let listed = of(store, address).await?;
    // Its owner may have unsubscribed besides; this is about what the operator asked for.
    let Some(listed) = listed.iter().find(|listed| listed.reason == Suppression::Operator) else {
        anyhow::bail!("the suppression was lifted at the same time");
    };
    if context.json {
        Rows::new(true, &[]).row(&row(listed), &[])?;
    } else {
        let what = if added { "is suppressed: it gets no mail" } else { "was suppressed already" };
        outln!("the address {what}; {}", whose(&listed.members));
    }
    Ok(Completion::Complete)
}

async fn remove(context: &Context, store: &Store, address: &EmailAddress) -> anyhow::Result<Completion> {
    let address = address.address_hash();
    let listed = of(store, address).await?;
    let removed = store.lift(address, context.clock.now()).await?;
    let members = listed.first().map(|listed| &listed.members[..]).unwrap_or_default();
    if context.json {
        let member_ids = members.iter().map(MemberId::as_str).collect();
        Rows::new(true, &[]).row(&Removed { member_ids, removed }, &[])?;
    } else if removed {
        outln!("the address gets mail again; {}", whose(members));
    } else {
        outln!("the address was not suppressed");
    }
    Ok(Completion::Complete)
}

fn whose(members: &[MemberId]) -> String {
    match members {
        [] => "no enrolled member has it now".to_owned(),
        members => {
            let ids: Vec<_> = members.iter().map(MemberId::as_str).collect();
            format!("it is that of {}", ids.join(", "))
        }
    }
}

async fn list(context: &Context, store: &Store) -> anyhow::Result<Completion> {
    let mut rows = Rows::new(context.json, &[("SINCE", 24), ("REASON", 12), ("MEMBERS", 0)]);
    let mut after: Option<ListedSuppression> = None;
    loop {
        let page = store.suppressions(None, after.as_ref(), PAGE).await?;
        for listed in &page {
            let row = row(listed);
            rows.row(&row, &[&row.created_at, row.reason, &row.member_ids.join(", ")])?;
        }
        match page.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => return Ok(Completion::Complete),
        }
    }
}
