//! `members show`.

use super::row::{email_state, no_such_member};
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json, single_line};
use crate::domain::MemberId;
use crate::rows::MemberRow;

pub(super) async fn show(context: &Context, id: &MemberId) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let rules = context.credential_rules(&store).await?;
    let listed = store.list_members(Some(id), None, 1, &rules, None).await?;
    let listed = listed.first().ok_or_else(|| no_such_member(id))?;
    let row = MemberRow::from(listed);
    if context.json {
        print_json(&row)?;
        return Ok(Completion::Complete);
    }
    outln!("member         {}", row.member_id);
    outln!("address        {}", listed.member.email.expose());
    outln!("label          {}", single_line(row.label.unwrap_or("-")));
    outln!("locale         {}", row.locale.unwrap_or("-"));
    outln!("time zone      {}", row.time_zone.unwrap_or("-"));
    outln!("subject        {}", listed.member.subject);
    outln!("paused         {}", if row.paused { "yes" } else { "no" });
    outln!("email          {}", email_state(&row));
    let unclear = row.unclear_reason.map(|reason| format!(" (no usable response since: {reason})"));
    outln!("last response  {}{}", row.last_answer_at.as_deref().unwrap_or("-"), unclear.unwrap_or_default());
    match (row.credential_reason, row.credential_since) {
        (Some(reason), Some(since)) => outln!("credential     {} since {since}: {reason}", row.credential),
        _ => outln!("credential     {}", row.credential),
    }
    Ok(Completion::Complete)
}
