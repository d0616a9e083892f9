//! `members list`.

use super::row::email_state;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{PAGE, Rows};
use crate::detect::sweep::UNREACHABLE_AFTER;
use crate::rows::MemberRow;

pub(super) async fn list(context: &Context, unreachable: bool) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let rules = context.credential_rules(&store).await?;
    let mut rows = Rows::new(
        context.json,
        &[
            ("MEMBER", 24),
            ("CREDENTIAL", 10),
            ("PAUSED", 6),
            ("EMAIL", 10),
            ("LAST RESPONSE", 24),
            ("UNCLEAR", 20),
            ("UNREACHABLE", 19),
            ("REASON", 0),
        ],
    );
    let since = unreachable.then(|| context.clock.now() - UNREACHABLE_AFTER);
    let mut after = None;
    loop {
        let page = store.list_members(None, after.as_ref(), PAGE, &rules, since).await?;
        for listed in &page {
            let row = if unreachable { MemberRow::of_unreachable(listed) } else { MemberRow::from(listed) };
            let paused = if row.paused { "yes" } else { "no" };
            rows.row(
                &row,
                &[
                    row.member_id,
                    row.credential,
                    paused,
                    email_state(&row),
                    row.last_answer_at.as_deref().unwrap_or_default(),
                    row.unclear_reason.unwrap_or_default(),
                    row.unreachable_reason.unwrap_or_default(),
                    row.credential_reason.unwrap_or_default(),
                ],
            )?;
        }
        match page.last() {
            Some(last) => after = Some(last.member.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}
