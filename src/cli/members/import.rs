//! `members import`.

use super::rejections::Rejections;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{errln, outln, print_json};
use crate::import::{self, ImportError, MemberFile, Staged, StagingObserver};
use crate::rows::ImportedRow;
use crate::store::ImportCounts;
use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    let rejections = Rejections::new(&args.file, context.json);
    let file = match MemberFile::open(&args.file, args.ignore_unknown_columns) {
        Ok(file) => file,
        Err(error) => {
            rejections.add(&error)?;
            return Err(rejections.failure());
        }
    };
    let (keyring, store) = context.keyring_and_store().await?;
    let mut import = store.import(context.clock.now()).await?;
    let size = std::fs::metadata(&args.file).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    let bar = progress_bar(size, "{bar:40} {bytes} of {total_bytes}, {eta} left");
    let mut progress = Progress { rejections: &rejections, bar: &bar };
    // After an error, the next import or the daemon deletes the staged rows.
    let staged = import::stage(&mut import, file, Arc::new(keyring), &mut progress).await?;
    bar.finish_and_clear();
    let Some(Staged { rows: staged, file }) = staged else {
        import.discard().await?;
        return Err(rejections.failure());
    };
    if staged == 0 && !args.allow_empty {
        bail!(
            "{} names no members; nothing was imported. Give --allow-empty if that is intended",
            args.file.display()
        );
    }
    let progress = progress_bar(Some(staged), "{bar:40} {pos} of {len} members");
    let counts = import
        .apply(context.clock.now(), |applied| progress.set_position(applied))
        .await
        .with_context(|| {
            let applied = progress.position();
            format!("{applied} of {staged} members are imported; the daemon or the next import adds the rest")
        })?;
    progress.finish_and_clear();
    report(context, &args.file, counts, file.warnings())
}

/// Prints what happens to the file.
struct Progress<'a> {
    rejections: &'a Rejections,
    bar: &'a ProgressBar,
}

impl StagingObserver for Progress<'_> {
    fn rejected(&mut self, error: ImportError) -> io::Result<()> {
        self.rejections.add(&error)
    }

    fn bytes_read(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
    }
}

fn report(
    context: &Context,
    file: &Path,
    counts: ImportCounts,
    warnings: &[ImportError],
) -> anyhow::Result<Completion> {
    if context.json {
        print_json(&ImportedRow::new(counts, warnings))?;
        return Ok(Completion::Complete);
    }
    for warning in warnings {
        errln!("{}: warning: {warning}", file.display());
    }
    let ImportCounts { members, known_tokens } = counts;
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
