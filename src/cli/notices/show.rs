//! `notices show`.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json, single_line};
use crate::domain::NoticeId;
use crate::rows::{AttemptRow, NoticeRow};
use anyhow::bail;

pub(super) async fn show(context: &Context, id: &NoticeId) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let listed = store.notices(None, Some(id), None, 1).await?;
    let Some(listed) = listed.first() else {
        bail!("there is no notice {id}; `reconnectd notices list` lists them");
    };
    let attempts = store.attempts(id).await?;
    let mut row = NoticeRow::from(listed);
    let history: Vec<_> = attempts.iter().map(AttemptRow::from).collect();
    if context.json {
        row.history = Some(history);
        print_json(&row)?;
        return Ok(Completion::Complete);
    }
    outln!("notice       {}", row.notice_id);
    outln!("member       {}", single_line(row.member_id));
    outln!("kind         {}", row.kind);
    outln!("step         {}", row.step);
    outln!("state        {} ({})", row.state, row.reason);
    outln!("connections  {}", single_line(&Vec::from_iter(row.connections.iter().copied()).join(", ")));
    outln!("planned      {}", row.planned_at);
    outln!("sent         {}", row.sent_at.as_deref().unwrap_or("-"));
    for AttemptRow { attempt, count, started_at, last_at, outcome, detail, .. } in history {
        let (outcome, detail) = (outcome.unwrap_or("in progress"), single_line(detail.unwrap_or_default()));
        let times = if count > 1 { format!(" {count} times, last {last_at}") } else { String::new() };
        outln!("attempt {attempt:<4} {started_at}  {outcome}{times}  {detail}");
    }
    Ok(Completion::Complete)
}
