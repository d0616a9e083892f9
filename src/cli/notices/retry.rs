//! `notices retry`.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json};
use crate::domain::NoticeId;
use crate::rows::RetriedNoticeRow;
use crate::store::Store;
use anyhow::bail;

pub(super) async fn retry(context: &Context, ids: &[NoticeId], all: bool) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let now = context.clock.now();
    let retried: Vec<(NoticeId, bool)> = if all {
        store.retry_all_notices(now).await?.into_iter().map(|id| (id, true)).collect()
    } else {
        check_all_exist(&store, ids).await?;
        let mut retried = Vec::new();
        for id in ids {
            retried.push((id.clone(), store.retry_notice(id, now).await?));
        }
        retried
    };
    let mut count = 0;
    for (id, queued) in &retried {
        count += usize::from(*queued);
        if context.json {
            print_json(&RetriedNoticeRow { notice_id: id.as_str(), queued: *queued })?;
        } else if !queued {
            outln!("{id}: nothing to retry; `reconnectd notices show {id}` shows its state");
        }
    }
    if !context.json {
        outln!("{count} notices queued; the daemon or `reconnectd once` delivers them");
    }
    Ok(Completion::Complete)
}

/// A wrong id fails before anything is changed.
async fn check_all_exist(store: &Store, ids: &[NoticeId]) -> anyhow::Result<()> {
    for id in ids {
        if store.notices(None, Some(id), None, 1).await?.is_empty() {
            bail!("there is no notice {id}; `reconnectd notices list` lists them");
        }
    }
    Ok(())
}
