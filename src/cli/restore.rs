//! `restore`.

use super::backup::quoted;
use super::completion::{Completion, UsageError};
use super::context::{Context, locked_warning};
use super::file_progress::FileProgress;
use super::output::{errln, outln, print_json, time};
use super::signals::stop_signal;
use crate::base::config::{DatabaseUrl, PostgresUrl};
use crate::credentials::key_check::KeyReport;
use crate::credentials::keyring::Keyring;
use crate::store::{Restoration, Restored, Store, StoreError};
use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct RestoreArgs {
    /// A backup; it stays as it is
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct RestoreRow<'a> {
    file: &'a Path,
    database: &'a Path,
    /// `null`: the backup does not tell.
    as_of: Option<String>,
    hold_id: &'a str,
    notices: u64,
    /// `null`: the key ring cannot be read.
    locked_credentials: Option<u64>,
}

pub(super) async fn restore(context: &Context, arguments: &RestoreArgs) -> anyhow::Result<Completion> {
    let place = match context.config.database.url() {
        DatabaseUrl::Sqlite(path) => path,
        DatabaseUrl::Postgres(url) => {
            return Err(UsageError(restore_dump_instead(&url, &arguments.file)).into());
        }
    };
    let stop = stop_signal()?;
    let progress = FileProgress::new();
    let begun = Restoration::begin(&arguments.file, &place, &stop, &mut |now| progress.show(now)).await;
    progress.end();
    let restoration = begun?;
    let locked = match locked_credentials(context, restoration.store()).await {
        Ok(locked) => locked,
        Err(error) => {
            restoration.discard().await;
            return Err(error.into());
        }
    };
    let restored = restoration.finish(context.actor(), context.clock.now()).await?;
    if context.json {
        print_json(&RestoreRow {
            file: &restored.from,
            database: &restored.place,
            as_of: restored.as_of.map(time),
            hold_id: restored.hold.id.as_str(),
            notices: restored.hold.notices,
            locked_credentials: locked,
        })?;
    } else {
        report(&restored)?;
    }
    Ok(Completion::Complete)
}

/// Warns about credentials that the key ring does not open. `None`: there is no key ring that can be read.
async fn locked_credentials(context: &Context, store: &Store) -> Result<Option<u64>, StoreError> {
    let keyring = match Keyring::open(&context.config.keys.file) {
        Ok(keyring) => keyring,
        Err(error) => {
            errln!("reconnectd: cannot tell whether the key ring opens the restored credentials: {error}");
            return Ok(None);
        }
    };
    let report = KeyReport::new(store, &keyring).await?;
    if let Err(error) = report.verify(context.needs_token()) {
        errln!("reconnectd: the key ring does not fit the backup, so no daemon will start on it: {error}");
    } else if report.locked > 0 {
        errln!("reconnectd: {}", locked_warning(report.locked));
    }
    Ok(Some(report.locked))
}

fn report(restored: &Restored) -> anyhow::Result<()> {
    let Restored { from, place, as_of, hold } = restored;
    let since = as_of.map_or("the backup".to_owned(), time);
    outln!("restored {} to {}; its newest record is of {since}", from.display(), place.display());
    outln!("all email is held; notices held now: {}", hold.notices);
    outln!(
        "Start the daemon, wait for a sweep, and look at these before you run `hold release {}`:",
        hold.id
    );
    outln!("- Emails that were sent after {since} are not known, and the release can repeat them.");
    outln!("- Addresses that unsubscribed or bounced since then are not suppressed; see `suppress add`.");
    outln!(
        "- Members who were erased since then are back; erase them again with `members remove ID --erase`."
    );
    outln!(
        "- Refresh tokens that rotated since then are lost; import fresh ones for members who become `rejected`."
    );
    Ok(())
}

fn restore_dump_instead(url: &PostgresUrl, file: &Path) -> anyhow::Error {
    anyhow!(
        "the database is on a server; stop all daemons, create an empty database, run `pg_restore --exit-on-error \
         --single-transaction --no-owner --dbname='{}' {}`, and, before a daemon starts, `reconnectd hold add --reason \
         restored`, which holds all email",
        url.without_password(),
        quoted(file)
    )
}
