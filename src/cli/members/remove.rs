//! `members remove`.

use super::row::no_such_member;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{errln, outln};
use crate::domain::MemberId;

pub(super) async fn remove(context: &Context, id: &MemberId, erase: bool) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let (exists, leaves_traces) = if erase {
        (store.erase_member(id).await?, !store.truncate_log().await?)
    } else {
        (store.remove_member(id, context.clock.now()).await?, false)
    };
    if !exists {
        return Err(no_such_member(id));
    }
    if !context.json {
        outln!("{id} {}", if erase { "erased" } else { "removed; the history is kept" });
    }
    if leaves_traces {
        errln!(
            "reconnectd: traces of {id} remain in the write-ahead log until the daemon restarts, because another process \
             was reading"
        );
        return Ok(Completion::Incomplete);
    }
    Ok(Completion::Complete)
}
