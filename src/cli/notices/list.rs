//! `notices list`.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{PAGE, Rows};
use crate::domain::MemberId;
use crate::rows::NoticeRow;

/// Oldest first.
pub(super) async fn list(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[
            ("NOTICE", 36),
            ("MEMBER", 20),
            ("KIND", 9),
            ("STEP", 4),
            ("STATE", 10),
            ("ATTEMPTS", 8),
            ("REASON", 24),
            ("NOT BEFORE", 24),
            ("SENT", 0),
        ],
    );
    let mut after = None;
    loop {
        let page = store.notices(member, None, after.as_ref(), PAGE).await?;
        for row in page.iter().map(NoticeRow::from) {
            let (step, attempts) = (row.step.to_string(), row.attempts.to_string());
            let sent = row.sent_at.as_deref().unwrap_or_default();
            let cells = [
                row.notice_id,
                row.member_id,
                row.kind,
                &step,
                row.state,
                &attempts,
                row.reason,
                &row.not_before,
                sent,
            ];
            rows.row(&row, &cells)?;
        }
        match page.last() {
            Some(last) => after = Some(last.notice.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}
