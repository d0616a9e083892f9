//! `members remove`.

use super::row::no_such_member;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::outln;
use crate::domain::MemberId;

pub(super) async fn remove(context: &Context, id: &MemberId, erase: bool) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let exists = if erase {
        store.erase_member(id).await?
    } else {
        store.remove_member(id, context.clock.now()).await?
    };
    if !exists {
        return Err(no_such_member(id));
    }
    if !context.json {
        outln!("{id} {}", if erase { "erased" } else { "removed; the history is kept" });
    }
    Ok(Completion::Complete)
}
