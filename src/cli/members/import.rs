//! `members import`.

use super::rejections::{self, Rejections};
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::import::{ImportError, MemberFile, MemberRow};
use crate::cli::output::{errln, outln, print_json};
use crate::credentials::keyring::Keyring;
use crate::store::{Import, ImportCounts, ImportRow};
use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(in crate::cli) struct ImportArgs {
    /// A .csv, .jsonl, .ndjson, or .json file; - for standard input
    file: PathBuf,
    /// Succeed although the file names no members
    #[arg(long)]
    allow_empty: bool,
    /// Ignore columns and fields that reconnectd does not know
    #[arg(long)]
    ignore_unknown_columns: bool,
}

/// Imports the whole file or nothing.
pub(super) async fn import(context: &Context, args: &ImportArgs) -> anyhow::Result<Completion> {
    let mut rejections = Rejections::new(&args.file, context.json);
    let mut rows = match MemberFile::open(&args.file, args.ignore_unknown_columns) {
        Ok(rows) => rows,
        Err(error) => {
            rejections.add(&error)?;
            return Err(rejections.failure());
        }
    };
    let (keyring, store) = context.keyring_and_store().await?;
    let mut import = store.import(context.clock.now()).await?;
    // After an error, the next import or the daemon deletes the staged rows.
    let Some(staged) = stage(&mut import, &mut rows, &keyring, args, &mut rejections).await? else {
        import.discard().await?;
        return Err(rejections.failure());
    };
    let progress = progress_bar(Some(staged), "{bar:40} {pos} of {len} members");
    let counts = import
        .apply(context.clock.now(), |applied| progress.set_position(applied))
        .await
        .with_context(|| {
            let applied = progress.position();
            format!("{applied} of {staged} members are imported; the daemon or the next import adds the rest")
        })?;
    progress.finish_and_clear();
    report(context, &args.file, counts, &rows)
}

/// Reads and stores all rows. Returns their number, or `None` when a line was rejected.
async fn stage(
    import: &mut Import,
    rows: &mut MemberFile,
    keyring: &Keyring,
    args: &ImportArgs,
    rejections: &mut Rejections,
) -> anyhow::Result<Option<u64>> {
    let size = std::fs::metadata(&args.file).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    let progress = progress_bar(size, "{bar:40} {bytes} of {total_bytes}, {eta} left");
    let (mut batch, mut staged) = (Vec::new(), 0);
    while !rejections.is_full()
        && let Some(row) = rows.next()
    {
        progress.set_position(rows.bytes_read());
        match row {
            Err(error) => rejections.add(&error)?,
            // After an error the remaining lines are only checked.
            Ok(_) if !rejections.is_empty() => {}
            Ok(MemberRow { line, edit, refresh_token, .. }) => {
                let credential =
                    refresh_token.map(|token| keyring.new_credential(&edit.id, &token)).transpose()?;
                batch.push(ImportRow { line, edit, credential });
                staged += 1;
                if batch.len() == import.step() {
                    import.stage(&batch).await?;
                    batch.clear();
                }
            }
        }
    }
    progress.finish_and_clear();
    if rejections.is_empty() {
        import.stage(&batch).await?;
        for line in import.lines_without_address(Rejections::MAX).await? {
            rejections.add(&ImportError::missing_address(line))?;
        }
    }
    if !rejections.is_empty() {
        return Ok(None);
    }
    if staged == 0 && !args.allow_empty {
        bail!(
            "{} names no members; nothing was imported. Give --allow-empty if that is intended",
            args.file.display()
        );
    }
    Ok(Some(staged))
}

fn report(
    context: &Context,
    file: &Path,
    counts: ImportCounts,
    rows: &MemberFile,
) -> anyhow::Result<Completion> {
    let ImportCounts { members, known_tokens } = counts;
    if context.json {
        let warnings: Vec<_> = rows.warnings().iter().map(rejections::line).collect();
        let mut report = serde_json::json!({ "imported": members, "known_tokens": known_tokens });
        if !warnings.is_empty() {
            report["warnings"] = serde_json::json!(warnings);
        }
        print_json(&report)?;
        return Ok(Completion::Complete);
    }
    for warning in rows.warnings() {
        errln!("{}: warning: {warning}", file.display());
    }
    outln!("{members} members imported");
    if known_tokens > 0 {
        outln!("{known_tokens} refresh tokens had been imported before and changed nothing");
    }
    Ok(Completion::Complete)
}

/// A bar, or a spinner when the total is unknown.
fn progress_bar(total: Option<u64>, template: &str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), template),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} in {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
