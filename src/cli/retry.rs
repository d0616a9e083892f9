//! `notices retry`: what an operator does once the mail server takes mails again.

use super::completion::Completion;
use super::context::Context;
use super::output::{Rows, outln};
use crate::domain::NoticeId;
use crate::store::Store;
use anyhow::bail;
use serde::Serialize;

#[derive(Serialize)]
struct Retried<'a> {
    notice_id: &'a str,
    queued: bool,
}

/// `notices retry ID…`, `notices retry --all`.
pub(super) async fn retry(context: &Context, ids: &[NoticeId], all: bool) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let now = context.clock.now();
    let retried: Vec<(NoticeId, bool)> = if all {
        store.retry_all_notices(now).await?.into_iter().map(|id| (id, true)).collect()
    } else {
        must_exist(&store, ids).await?;
        let mut retried = Vec::new();
        for id in ids {
            retried.push((id.clone(), store.retry_notice(id, now).await?));
        }
        retried
    };
    let mut queued = 0;
    for (id, done) in &retried {
        queued += usize::from(*done);
        if context.json {
            Rows::new(true, &[]).row(&Retried { notice_id: id.as_str(), queued: *done }, &[])?;
        } else if !done {
            outln!("{id}: there is nothing to try again; `reconnectd notices show {id}` says how it stands");
        }
    }
    if !context.json {
        outln!("{queued} of the notices are queued anew, to be delivered by the daemon or by `once`");
    }
    Ok(Completion::Complete)
}

/// Before anything is changed.
async fn must_exist(store: &Store, ids: &[NoticeId]) -> anyhow::Result<()> {
    for id in ids {
        if store.notices(None, Some(id), None, 1).await?.is_empty() {
            bail!("there is no notice {id}; `reconnectd notices list` shows them");
        }
    }
    Ok(())
}
