//! `members remove`.

use super::row::no_such_member;
use crate::base::random;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{errln, outln};
use crate::credentials::keyring::Keyring;
use crate::domain::MemberId;
use crate::store::Store;

pub(super) async fn remove(context: &Context, id: &MemberId, erase: bool) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let (exists, leaves_traces) = if erase {
        let pseudonym = pseudonym(context, &store, id).await?;
        let exists = store.erase_member(id, &pseudonym, context.clock.now()).await?;
        (exists, !store.truncate_log().await?)
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
            "reconnectd: traces of {id} remain in the write-ahead log until the daemon empties it, within an hour, because \
             another process was reading"
        );
        return Ok(Completion::Incomplete);
    }
    Ok(Completion::Complete)
}

/// What the audit shows instead of the id. Without the key ring, a random one: an erasure must not depend on the keys.
async fn pseudonym(context: &Context, store: &Store, id: &MemberId) -> anyhow::Result<MemberId> {
    Ok(match Keyring::open(&context.config.keys.file) {
        Ok(keyring) => {
            context.prepare(store, &keyring).await?;
            keyring.pseudonym(id)
        }
        Err(error) => {
            errln!(
                "reconnectd: the audit names {id} by a random pseudonym, because the key ring does not open: {error}"
            );
            MemberId::new(format!("erased:{}", random::nonce()))
        }
    })
}
