//! `database copy`.

use crate::base::config::DatabaseUrl;
use crate::cli::completion::{Completion, UsageError};
use crate::cli::context::Context;
use crate::cli::output::{Rows, outln, print_json};
use crate::cli::prompt::{self, usage};
use crate::cli::signals::stop_signal;
use crate::store::{CopiedTable, CopyProgress, Store, StoreError};
use anyhow::anyhow;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::path::PathBuf;

/// Copy everything to an empty database, of SQLite or PostgreSQL, and verify the copy
///
/// Stop the daemon first. The command makes the tables of the copy, copies all rows, and compares both databases by counts
/// and digests. Credentials stay encrypted; the copy needs the same key ring.
///
/// Afterwards, set database.url to the copy and start the daemon. The configured database takes no more work until
/// `database reopen`.
///
/// If the command fails, is stopped, or is killed, the configured database stays in use, and no daemon starts on the
/// incomplete copy.
#[derive(Args, Debug)]
pub(in crate::cli) struct CopyArgs {
    /// Where to, as in database.url; other users can see a password here while the command runs
    #[arg(long, value_name = "URL", required_unless_present = "to_file", conflicts_with = "to_file")]
    to: Option<SecretString>,
    /// Read the URL from this file, which others must not be able to read; - for standard input
    #[arg(long, value_name = "PATH")]
    to_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct TableRow<'a> {
    table: &'a str,
    rows: u64,
    digest: String,
}

#[derive(Serialize)]
struct Summary<'a> {
    from: &'a str,
    to: &'a str,
    tables: usize,
    rows: u64,
}

pub(super) async fn copy(context: &Context, arguments: &CopyArgs) -> anyhow::Result<Completion> {
    let (option, url) = target(arguments)?;
    let stop = stop_signal()?;
    let source = context.store_to_write().await?;
    let target = Store::open(&url).await.map_err(|error| about_target(option, &error))?;
    let progress = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len} rows {msg}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut was_verifying = false;
    let mut show = |now: CopyProgress<'_>| {
        if now.is_verifying && !was_verifying {
            was_verifying = true;
            progress.reset();
        }
        progress.set_length(now.total);
        progress.set_message(format!(
            "{} ({})",
            if now.is_verifying { "verified" } else { "copied" },
            now.table
        ));
        progress.set_position(now.rows);
    };
    let copied = source.copy_to(&target, context.clock.now(), &stop, &mut show).await;
    progress.finish_and_clear();
    target.close().await;
    source.close().await;
    let copied = copied.map_err(|error| match error {
        StoreError::IncompleteCopy { .. } => about_target(option, &error),
        error => error.into(),
    })?;
    report(context, &source.location(), &target.location(), &copied)
}

/// The option that names the copy, and the URL. No error contains any of the URL.
fn target(arguments: &CopyArgs) -> anyhow::Result<(&'static str, DatabaseUrl)> {
    let (option, text) = match (&arguments.to, &arguments.to_file) {
        (Some(url), _) => ("--to", url.expose_secret().to_owned()),
        (None, Some(file)) => ("--to-file", prompt::secret_file("--to-file", file)?),
        (None, None) => return Err(usage("name the copy with --to or --to-file")),
    };
    let url = text.parse().map_err(|error| usage(format!("{option}: {error}")))?;
    Ok((option, url))
}

/// The error with the option's name in place of the setting's.
fn about_target(option: &str, error: &StoreError) -> anyhow::Error {
    let renamed = anyhow!(error.to_string().replace("database.url", option));
    if error.is_unusable_file() { UsageError(renamed).into() } else { renamed }
}

fn report(context: &Context, from: &str, to: &str, copied: &[CopiedTable]) -> anyhow::Result<Completion> {
    let mut table = Rows::new(context.json, &[("TABLE", 22), ("ROWS", 10), ("DIGEST", 0)]);
    for CopiedTable { name, digest } in copied {
        let row = TableRow { table: name, rows: digest.rows, digest: digest.to_string() };
        table.row(&row, &[name, &digest.rows.to_string(), &row.digest[..16]])?;
    }
    let rows = copied.iter().map(|table| table.digest.rows).sum();
    if context.json {
        print_json(&Summary { from, to, tables: copied.len(), rows })?;
    } else {
        outln!("{rows} rows in {} tables copied from {from} to {to} and verified", copied.len());
        outln!("{from} takes no more work: set database.url to the copy, then start the daemon");
    }
    Ok(Completion::Complete)
}
