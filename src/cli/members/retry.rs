//! `members retry`.

use super::row::no_such_member;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{PAGE, Rows, outln};
use crate::cli::signals::stop_signal;
use crate::domain::{AuditAction, AuditEntry, MemberId};
use crate::rows::{RetriedMemberRow, optional_time};
use crate::store::Store;

pub(super) async fn retry(context: &Context, ids: &[MemberId], all: bool) -> anyhow::Result<Completion> {
    let stop = stop_signal()?;
    context
        .with_app(async |app| {
            for id in ids {
                if app.store.member(id).await?.is_none() {
                    return Err(no_such_member(id));
                }
            }
            let members = if all { members_waiting(&app.store).await? } else { ids.to_vec() };
            let entry = AuditEntry::new(AuditAction::MemberRetry).affected(members.len() as u64);
            app.store.record_audit(entry.about(one(&members)), app.clock.now()).await?;
            let polls = futures_util::stream::iter(members.iter().cloned().map(Ok));
            let report = app.sweeper.poll_now(polls, &stop).await?;
            print(context, &app.store, &members).await?;
            let (polled, unclear) = (report.progress.members, report.progress.unclear);
            if !context.json {
                outln!("{} of {} members gave a usable response", polled - unclear, members.len());
                if let Some(reason) = report.ended_early_because {
                    outln!(
                        "stopped early ({reason}): the gateway or the network is failing, not the members"
                    );
                }
            }
            let is_complete =
                report.ended_early_because.is_none() && unclear == 0 && polled == members.len() as u64;
            Ok(if is_complete { Completion::Complete } else { Completion::Incomplete })
        })
        .await
}

/// `None`: there are none, or several.
fn one(members: &[MemberId]) -> Option<&MemberId> {
    if let [member] = members { Some(member) } else { None }
}

async fn print(context: &Context, store: &Store, members: &[MemberId]) -> anyhow::Result<()> {
    let mut rows =
        Rows::new(context.json, &[("MEMBER", 24), ("CREDENTIAL", 10), ("LAST RESPONSE", 24), ("UNCLEAR", 0)]);
    let rules = context.credential_rules(store).await?;
    for id in members {
        let listed = store.list_members(Some(id), None, 1, &rules, None).await?;
        let Some(listed) = listed.first() else { continue };
        let row = RetriedMemberRow {
            member_id: id.as_str(),
            credential: listed.credential.as_str(),
            last_answer_at: optional_time(listed.last_answer_at),
            unclear_reason: listed.unclear_reason.as_deref(),
        };
        let last = row.last_answer_at.as_deref().unwrap_or_default();
        rows.row(&row, &[row.member_id, row.credential, last, row.unclear_reason.unwrap_or_default()])?;
    }
    Ok(())
}

async fn members_waiting(store: &Store) -> anyhow::Result<Vec<MemberId>> {
    let mut waiting: Vec<MemberId> = Vec::new();
    loop {
        let page = store.members_waiting(waiting.last(), PAGE).await?;
        if page.is_empty() {
            return Ok(waiting);
        }
        waiting.extend(page);
    }
}
