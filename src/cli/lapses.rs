//! `lapses …`.

use super::completion::Completion;
use super::context::Context;
use super::member_filter::MemberFilter;
use super::output::{PAGE, Rows, optional_time, time};
use crate::domain::{Lapse, LapseState, MemberId, Outcome};
use clap::Subcommand;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub(super) enum LapsesCommand {
    /// List lapses
    List(MemberFilter),
}

pub(super) async fn run(context: &Context, command: &LapsesCommand) -> anyhow::Result<Completion> {
    let LapsesCommand::List(filter) = command;
    list(context, filter.member.as_ref()).await
}

#[derive(Serialize)]
struct LapseRow<'a> {
    lapse_id: &'a str,
    member_id: &'a str,
    connection_id: &'a str,
    state: &'static str,
    outcome: Option<&'static str>,
    suspected_at: String,
    opened_at: Option<String>,
    closed_at: Option<String>,
}

impl<'a> From<&'a Lapse> for LapseRow<'a> {
    fn from(lapse: &'a Lapse) -> Self {
        // A lapse that resumed has the outcome of its earlier end until it is confirmed.
        let is_closed = lapse.state == LapseState::Closed;
        Self {
            lapse_id: lapse.id.as_str(),
            member_id: lapse.member_id.as_str(),
            connection_id: lapse.connection_id.as_str(),
            state: lapse.state.as_str(),
            outcome: lapse.outcome.filter(|_| is_closed).map(Outcome::as_str),
            suspected_at: time(lapse.suspected_at),
            opened_at: optional_time(lapse.opened_at),
            closed_at: optional_time(lapse.closed_at.filter(|_| is_closed)),
        }
    }
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
