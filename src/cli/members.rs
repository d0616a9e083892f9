//! `members import|list|show|retry|remove`.

use super::completion::Completion;
use super::context::Context;
use super::import::{Import, ImportRow};
use super::output::{Rows, maybe_time, outln};
use super::run::stop_signal;
use crate::credentials::keyring::Keyring;
use crate::detect::sweep::UNREACHABLE_AFTER;
use crate::domain::MemberId;
use crate::store::{ImportCounts, ListedMember, Store};
use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::Path;

/// Rows read or written at a time.
const PAGE: u32 = 500;
/// Bad lines named before an import gives up looking for more.
const NAMED: usize = 20;

/// `members import FILE`. All of the file, or none of it.
pub(super) async fn import(context: &Context, file: &Path) -> anyhow::Result<Completion> {
    let keyring = Keyring::open(&context.config.keys.file)?;
    let store = context.store().await?;
    let mut rows = Import::open(file).with_context(|| file.display().to_string())?;
    let progress = progress(file);
    let mut import = store.import(context.clock.now()).await?;
    let (mut batch, mut bad) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next() {
        progress.set_position(rows.bytes_read());
        match row {
            Err(error) => {
                bad.push(error.to_string());
                if bad.len() == NAMED {
                    break;
                }
            }
            // After a bad line the rest is only looked through for more of them.
            Ok(_) if !bad.is_empty() => {}
            Ok(ImportRow { member, refresh_token }) => {
                let credential =
                    refresh_token.map(|token| keyring.new_credential(&member.id, &token)).transpose()?;
                batch.push((member, credential));
                if batch.len() == PAGE as usize {
                    import.add(&batch).await?;
                    batch.clear();
                }
            }
        }
    }
    progress.finish_and_clear();
    if !bad.is_empty() {
        for line in &bad {
            eprintln!("{}: {line}", file.display());
        }
        bail!("nothing was imported: mend the lines above and import the file again");
    }
    import.add(&batch).await?;
    let ImportCounts { members, known_tokens } = import.commit().await?;
    if context.json {
        let counts = serde_json::json!({ "imported": members, "known_tokens": known_tokens });
        Rows::new(true, &[]).row(&counts, &[])?;
    } else {
        outln!("{members} members imported");
        if known_tokens > 0 {
            outln!("{known_tokens} refresh tokens had been imported before and changed nothing");
        }
    }
    Ok(Completion::Complete)
}

/// On a terminal; of standard input the length is not known.
fn progress(file: &Path) -> ProgressBar {
    let (bar, template) = match std::fs::metadata(file) {
        Ok(file) if file.is_file() => {
            (ProgressBar::new(file.len()), "{bar:40} {bytes} of {total_bytes}, {eta} to go")
        }
        _ => (ProgressBar::new_spinner(), "{spinner} {bytes} in {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[derive(Serialize)]
struct MemberRow<'a> {
    member_id: &'a str,
    credential: &'static str,
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_since: Option<String>,
    last_answer_at: Option<String>,
    unclear_reason: Option<&'a str>,
    suppressed: bool,
    locale: Option<&'a str>,
    time_zone: Option<&'a str>,
}

fn row(listed: &ListedMember) -> MemberRow<'_> {
    let member = &listed.member;
    MemberRow {
        member_id: member.id.as_str(),
        credential: listed.credential.as_str(),
        paused: member.paused,
        credential_reason: listed.trouble.as_ref().map(|(reason, _)| reason.as_str()),
        credential_since: maybe_time(listed.trouble.as_ref().map(|(_, since)| *since)),
        last_answer_at: maybe_time(listed.last_answer_at),
        unclear_reason: listed.unclear_reason.as_deref(),
        suppressed: listed.suppressed,
        locale: member.locale.as_deref(),
        time_zone: member.time_zone.map(|zone| zone.name()),
    }
}

fn mail(row: &MemberRow<'_>) -> &'static str {
    if row.suppressed { "suppressed" } else { "yes" }
}

/// `members list`. With `unreachable`, only members without a usable response for a day.
pub(super) async fn list(context: &Context, unreachable: bool) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[
            ("MEMBER", 24),
            ("CREDENTIAL", 10),
            ("PAUSED", 6),
            ("MAIL", 10),
            ("LAST ANSWER", 24),
            ("UNCLEAR", 20),
            ("REASON", 0),
        ],
    );
    let since = unreachable.then(|| context.clock.now() - UNREACHABLE_AFTER);
    let mut after = None;
    loop {
        let page = store.list_members(None, after.as_ref(), PAGE, context.needs_token(), since).await?;
        for listed in &page {
            let row = row(listed);
            let paused = if row.paused { "yes" } else { "no" };
            rows.row(
                &row,
                &[
                    row.member_id,
                    row.credential,
                    paused,
                    mail(&row),
                    row.last_answer_at.as_deref().unwrap_or_default(),
                    row.unclear_reason.unwrap_or_default(),
                    row.credential_reason.unwrap_or_default(),
                ],
            )?;
        }
        match page.last() {
            Some(last) => after = Some(last.member.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}

/// `members show`.
pub(super) async fn show(context: &Context, id: &MemberId) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let listed = store.list_members(Some(id), None, 1, context.needs_token(), None).await?;
    let Some(listed) = listed.first() else { bail!(no_such(id)) };
    let row = row(listed);
    if context.json {
        Rows::new(true, &[]).row(&row, &[])?;
        return Ok(Completion::Complete);
    }
    outln!("member      {}", row.member_id);
    outln!("e-mail      {}", listed.member.email.expose());
    outln!("locale      {}", row.locale.unwrap_or("-"));
    outln!("time zone   {}", row.time_zone.unwrap_or("-"));
    outln!("subject     {}", listed.member.subject);
    outln!("paused      {}", if row.paused { "yes" } else { "no" });
    outln!("mail        {}", mail(&row));
    let unclear = row.unclear_reason.map(|reason| format!(" (no usable response since: {reason})"));
    outln!("last answer {}{}", row.last_answer_at.as_deref().unwrap_or("-"), unclear.unwrap_or_default());
    match (row.credential_reason, row.credential_since) {
        (Some(reason), Some(since)) => outln!("credential  {} since {since}: {reason}", row.credential),
        _ => outln!("credential  {}", row.credential),
    }
    Ok(Completion::Complete)
}

#[derive(Serialize)]
struct RetriedMember<'a> {
    member_id: &'a str,
    credential: &'static str,
    last_answer_at: Option<String>,
    unclear_reason: Option<&'a str>,
}

/// `members retry ID…`, `members retry --all`: polls members now whose credential was rejected, or who wait for another
/// reason.
pub(super) async fn retry(context: &Context, ids: &[MemberId], all: bool) -> anyhow::Result<Completion> {
    let app = context.app().await?;
    for id in ids {
        if app.store.member(id).await?.is_none() {
            bail!(no_such(id));
        }
    }
    let waiting = if all { waiting(&app.store).await? } else { ids.to_vec() };
    let polls = futures_util::stream::iter(waiting.iter().cloned().map(Ok));
    let report = app.sweeper.poll_now(polls, &stop_signal()?).await;
    app.access.drain().await;
    let report = report?;
    let mut rows =
        Rows::new(context.json, &[("MEMBER", 24), ("CREDENTIAL", 10), ("LAST ANSWER", 24), ("UNCLEAR", 0)]);
    for id in &waiting {
        let listed = app.store.list_members(Some(id), None, 1, context.needs_token(), None).await?;
        let Some(listed) = listed.first() else { continue };
        let row = RetriedMember {
            member_id: id.as_str(),
            credential: listed.credential.as_str(),
            last_answer_at: maybe_time(listed.last_answer_at),
            unclear_reason: listed.unclear_reason.as_deref(),
        };
        let last = row.last_answer_at.as_deref().unwrap_or_default();
        rows.row(&row, &[row.member_id, row.credential, last, row.unclear_reason.unwrap_or_default()])?;
    }
    if !context.json {
        let progress = report.progress;
        outln!("{} of {} members gave a usable response", progress.members - progress.unclear, waiting.len());
        if let Some(reason) = report.ended_early_because {
            outln!("stopped early ({reason}): the gateway, or the way to it, is at fault");
        }
    }
    let all_clear = report.ended_early_because.is_none()
        && report.progress.unclear == 0
        && report.progress.members == waiting.len() as u64;
    Ok(if all_clear { Completion::Complete } else { Completion::Incomplete })
}

async fn waiting(store: &Store) -> anyhow::Result<Vec<MemberId>> {
    let mut waiting: Vec<MemberId> = Vec::new();
    loop {
        let page = store.members_waiting(waiting.last(), PAGE).await?;
        if page.is_empty() {
            return Ok(waiting);
        }
        waiting.extend(page);
    }
}

/// `members remove`.
pub(super) async fn remove(context: &Context, id: &MemberId, erase: bool) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let known = if erase {
        store.erase_member(id).await?
    } else {
        store.remove_member(id, context.clock.now()).await?
    };
    if !known {
        bail!(no_such(id));
    }
    if !context.json {
        outln!("{id} {}", if erase { "erased" } else { "removed; the history is kept" });
    }
    Ok(Completion::Complete)
}

fn no_such(id: &MemberId) -> String {
    format!("there is no member {id}; `reconnectd members list` shows them")
}
