//! `backup`.

use super::completion::{Completion, UsageError};
use super::context::Context;
use super::file_progress::FileProgress;
use super::output::{outln, print_json, time};
use super::signals::stop_signal;
use crate::base::config::{DatabaseUrl, PostgresUrl};
use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// The new file; one that exists is never replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct BackupRow<'a> {
    file: &'a Path,
    database: &'a str,
    bytes: u64,
    started_at: String,
}

pub(super) async fn backup(context: &Context, arguments: &BackupArgs) -> anyhow::Result<Completion> {
    if let DatabaseUrl::Postgres(url) = context.config.database.url() {
        return Err(UsageError(dump_instead(&url, &arguments.file)).into());
    }
    let stop = stop_signal()?;
    let store = context.store_to_write().await?;
    let progress = FileProgress::new();
    let now = context.clock.now();
    let made = store.back_up(&arguments.file, now, &stop, &mut |now| progress.show(now)).await;
    progress.end();
    store.close().await;
    let made = made?;
    let database = store.location();
    if context.json {
        let row =
            BackupRow { file: &made.file, database: &database, bytes: made.bytes, started_at: time(now) };
        print_json(&row)?;
    } else {
        outln!("backed up {database} to {} and verified it: {} bytes", made.file.display(), made.bytes);
        outln!("keep a copy of the key ring in another place; a restore needs both");
    }
    Ok(Completion::Complete)
}

fn dump_instead(url: &PostgresUrl, file: &Path) -> anyhow::Error {
    anyhow!(
        "the database is on a server; run `pg_dump --format=custom --file={} '{}'`, which takes the password from \
         PGPASSFILE or asks for it",
        quoted(file),
        url.without_password()
    )
}

/// For a shell.
pub(super) fn quoted(file: &Path) -> String {
    format!("'{}'", file.display().to_string().replace('\'', r"'\''"))
}
