//! `members import`.

use super::rejections::Rejections;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{errln, outln, print_json};
use crate::credentials::keyring::Keyring;
use crate::import::{ImportError, MemberFile, MemberLine};
use crate::rows::ImportErrorRow;
use crate::store::{Import, ImportCounts, ImportRow};
use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

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
    let rows = match MemberFile::open(&args.file, args.ignore_unknown_columns) {
        Ok(rows) => rows,
        Err(error) => {
            rejections.add(&error)?;
            return Err(rejections.failure());
        }
    };
    let (keyring, store) = context.keyring_and_store().await?;
    let mut import = store.import(context.clock.now()).await?;
    // After an error, the next import or the daemon deletes the staged rows.
    let Some((staged, rows)) = stage(&mut import, rows, keyring, args, &mut rejections).await? else {
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

/// Rows of the file, ready to be stored.
#[derive(Default)]
struct Batch {
    rows: Vec<ImportRow>,
    rejected: Vec<ImportError>,
    /// From the start of the file.
    bytes_read: u64,
}

/// Reads the file and seals its tokens, ahead of the database. Ends early when nobody receives the batches.
fn read(
    mut rows: MemberFile,
    keyring: &Keyring,
    size: usize,
    batches: &mpsc::Sender<Batch>,
) -> anyhow::Result<MemberFile> {
    loop {
        let mut batch = Batch::default();
        for row in rows.by_ref().take(size) {
            match row {
                Err(error) => batch.rejected.push(error),
                Ok(MemberLine { line, edit, refresh_token, .. }) => {
                    let credential =
                        refresh_token.map(|token| keyring.new_credential(&edit.id, &token)).transpose()?;
                    batch.rows.push(ImportRow { line, edit, credential });
                }
            }
        }
        batch.bytes_read = rows.bytes_read();
        let is_last = batch.rows.len() + batch.rejected.len() < size;
        if batches.blocking_send(batch).is_err() || is_last {
            return Ok(rows);
        }
    }
}

/// Stores all rows. Returns their number and the file, or `None` when a line was rejected.
async fn stage(
    import: &mut Import,
    rows: MemberFile,
    keyring: Keyring,
    args: &ImportArgs,
    rejections: &mut Rejections,
) -> anyhow::Result<Option<(u64, MemberFile)>> {
    let file_size =
        std::fs::metadata(&args.file).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    let progress = progress_bar(file_size, "{bar:40} {bytes} of {total_bytes}, {eta} left");
    let (sender, mut batches) = mpsc::channel(1);
    let size = import.step();
    let reading = tokio::task::spawn_blocking(move || read(rows, &keyring, size, &sender));
    let mut staged = 0;
    while let Some(batch) = batches.recv().await {
        progress.set_position(batch.bytes_read);
        for error in &batch.rejected {
            rejections.add(error)?;
            if rejections.is_full() {
                // The reader may wait for a pipe that stays open.
                return Ok(None);
            }
        }
        // After an error the remaining lines are only checked.
        if rejections.is_empty() {
            import.stage(&batch.rows).await?;
            staged += batch.rows.len() as u64;
        }
    }
    let rows = reading.await??;
    progress.finish_and_clear();
    if rejections.is_empty() {
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
    Ok(Some((staged, rows)))
}

fn report(
    context: &Context,
    file: &Path,
    counts: ImportCounts,
    rows: &MemberFile,
) -> anyhow::Result<Completion> {
    let ImportCounts { members, known_tokens } = counts;
    if context.json {
        let warnings: Vec<_> = rows.warnings().iter().map(ImportErrorRow::from).collect();
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
