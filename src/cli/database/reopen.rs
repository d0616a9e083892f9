//! `database reopen`.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json};
use crate::cli::prompt;
use serde::Serialize;

#[derive(Serialize)]
struct Reopened {
    database: String,
    reopened: bool,
}

/// Takes back the mark that `database copy` leaves on what it copied.
pub(super) async fn reopen(context: &Context, is_confirmed: bool) -> anyhow::Result<Completion> {
    let store = context.store_or_marked().await?;
    store.verify_complete().await?;
    let database = store.location();
    if let Some(mark) = store.copy_mark().await?
        && !is_confirmed
    {
        prompt::confirm(&format!(
            "{database} lacks what happened since it was copied. If a daemon runs on the copy, {}, too, members receive \
             emails twice. Use {database} again?",
            mark.other
        ))?;
    }
    let reopened = store.reopen().await?;
    if context.json {
        print_json(&Reopened { database, reopened })?;
    } else if reopened {
        outln!("{database} takes work again");
    } else {
        outln!("{database} was not copied; nothing was done");
    }
    Ok(Completion::Complete)
}
