//! `transitions`.

use super::completion::Completion;
use super::context::Context;
use super::output::{PAGE, Rows, time};
use crate::domain::{MemberId, Transition};
use serde::Serialize;

#[derive(Serialize)]
struct TransitionRow<'a> {
    member_id: &'a str,
    connection_id: &'a str,
    /// `None` for the first observation.
    from: Option<&'a str>,
    to: &'a str,
    observed_at: String,
}

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
        for Transition { member_id, connection_id, from, to, observed_at, .. } in &page {
            let row = TransitionRow {
                member_id: member_id.as_str(),
                connection_id: connection_id.as_str(),
                from: from.as_ref().map(|status| status.as_str()),
                to: to.as_str(),
                observed_at: time(*observed_at),
            };
            let from = row.from.unwrap_or_default();
            rows.row(&row, &[&row.observed_at, row.member_id, row.connection_id, from, row.to])?;
        }
        match page.last() {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}
