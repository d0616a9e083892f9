//! `audit …`: what operators did.

use super::completion::Completion;
use super::context::Context;
use super::output::{PAGE, Rows};
use super::since::since;
use crate::domain::MemberId;
use crate::rows::AuditRow;
use chrono::TimeDelta;
use clap::Subcommand;

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
