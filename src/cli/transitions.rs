//! `transitions`.

use super::completion::Completion;
use super::context::Context;
use super::output::{PAGE, Rows};
use crate::domain::MemberId;
use crate::rows::TransitionRow;

/// Oldest first.
pub(super) async fn transitions(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[("OBSERVED", 24), ("MEMBER", 20), ("CONNECTION", 24), ("FROM", 14), ("TO", 0)],
    );
    let mut after = None;
    loop {
        let page = store.transitions(member, after.as_ref(), PAGE).await?;
        for row in page.iter().map(TransitionRow::from) {
            let from = row.from.unwrap_or_default();
            rows.row(&row, &[&row.observed_at, row.member_id, row.connection_id, from, row.to])?;
        }
        match page.last() {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}
