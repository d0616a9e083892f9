//! `lapses …`.

use super::completion::Completion;
use super::context::Context;
use super::member_filter::MemberFilter;
use super::output::{PAGE, Rows};
use crate::domain::MemberId;
use crate::rows::LapseRow;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum LapsesCommand {
    /// List lapses
    List(MemberFilter),
}

pub(super) async fn run(context: &Context, command: &LapsesCommand) -> anyhow::Result<Completion> {
    let LapsesCommand::List(filter) = command;
    list(context, filter.member.as_ref()).await
}

/// Oldest first.
async fn list(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[("OPENED", 24), ("MEMBER", 20), ("CONNECTION", 24), ("STATE", 10), ("OUTCOME", 10), ("CLOSED", 0)],
    );
    let mut after = None;
    loop {
        let page = store.lapses(member, after.as_ref(), PAGE).await?;
        for row in page.iter().map(LapseRow::from) {
            rows.row(
                &row,
                &[
                    row.opened_at.as_deref().unwrap_or_default(),
                    row.member_id,
                    row.connection_id,
                    row.state,
                    row.outcome.unwrap_or_default(),
                    row.closed_at.as_deref().unwrap_or_default(),
                ],
            )?;
        }
        match page.last() {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}
