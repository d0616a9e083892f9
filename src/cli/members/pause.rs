//! `members pause` and `members resume`.

use super::row::no_such_members;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json};
use crate::domain::MemberId;
use crate::rows::PauseRow;
use crate::store::PauseOutcome;
use std::collections::BTreeSet;

pub(super) async fn pause(context: &Context, ids: &[MemberId]) -> anyhow::Result<Completion> {
    let ids = distinct(ids);
    let store = context.store_to_write().await?;
    let outcome = store.pause_members(&ids, context.clock.now()).await?;
    print(context, &ids, true, outcome)
}

pub(super) async fn resume(context: &Context, ids: &[MemberId]) -> anyhow::Result<Completion> {
    let ids = distinct(ids);
    let store = context.store_to_write().await?;
    let outcome = store.resume_members(&ids, context.clock.now()).await?;
    print(context, &ids, false, outcome)
}

fn distinct(ids: &[MemberId]) -> Vec<MemberId> {
    let mut seen = BTreeSet::new();
    ids.iter().filter(|id| seen.insert(id.as_str())).cloned().collect()
}

fn print(
    context: &Context,
    ids: &[MemberId],
    paused: bool,
    outcome: PauseOutcome,
) -> anyhow::Result<Completion> {
    let changed = match outcome {
        PauseOutcome::Changed(changed) => changed,
        PauseOutcome::NotEnrolled(unknown) => return Err(no_such_members(&unknown)),
    };
    for id in ids {
        let row = PauseRow { member_id: id.as_str(), paused, changed: changed.contains(id) };
        if context.json {
            print_json(&row)?;
            continue;
        }
        match (row.paused, row.changed) {
            (true, true) => outln!("{id} paused: no polls and no email until `members resume`"),
            (true, false) => outln!("{id} was paused already"),
            (false, true) => {
                outln!("{id} resumed: the next sweep polls them, and unsent notices are planned again")
            }
            (false, false) => outln!("{id} was not paused"),
        }
    }
    Ok(Completion::Complete)
}
