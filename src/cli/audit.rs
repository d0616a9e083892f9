//! `audit …`: what operators did.

use super::completion::Completion;
use super::context::Context;
use super::output::{PAGE, Rows, time};
use super::since::since;
use crate::domain::{AuditRecord, MemberId};
use chrono::TimeDelta;
use clap::Subcommand;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List what commands, the API, and the dashboard did, and who read data of members; the newest first
    List {
        /// Only about this member
        #[arg(long, value_name = "ID")]
        member: Option<MemberId>,
        /// Only so far back, such as 7d
        #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = since)]
        since: TimeDelta,
    },
}

#[derive(Serialize)]
struct AuditRow<'a> {
    at: String,
    actor: &'a str,
    action: &'a str,
    member_id: Option<&'a str>,
    target: Option<&'a str>,
    /// How many rows were changed or read.
    affected: Option<u64>,
}

impl<'a> From<&'a AuditRecord> for AuditRow<'a> {
    fn from(record: &'a AuditRecord) -> Self {
        Self {
            at: time(record.at),
            actor: &record.actor,
            action: &record.action,
            member_id: record.member_id.as_deref(),
            target: record.target.as_deref(),
            affected: record.affected,
        }
    }
}

pub(super) async fn run(context: &Context, command: &AuditCommand) -> anyhow::Result<Completion> {
    let AuditCommand::List { member, since } = command;
    let store = context.store().await?;
    let columns = &[("AT", 24), ("ACTOR", 24), ("ACTION", 21), ("MEMBER", 24), ("ROWS", 6), ("TARGET", 0)];
    let mut rows = Rows::new(context.json, columns);
    let since = context.clock.now() - *since;
    let mut before: Option<String> = None;
    loop {
        let page = store.audit(member.as_ref(), since, before.as_deref(), PAGE).await?;
        for record in &page {
            let row = AuditRow::from(record);
            let affected = row.affected.map(|rows| rows.to_string()).unwrap_or_default();
            let (member, target) = (row.member_id.unwrap_or_default(), row.target.unwrap_or_default());
            rows.row(&row, &[&row.at, row.actor, row.action, member, &affected, target])?;
        }
        match page.last() {
            Some(last) => before = Some(last.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}
