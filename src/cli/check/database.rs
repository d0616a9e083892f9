//! Whether the database can be used.

use super::checklist::Checklist;
use super::file_system;
use crate::base::clock::Clock;
use crate::base::config::DatabaseUrl;
use crate::base::private_files;
use crate::store::{PagesChecked, Store, StoreError};
use chrono::TimeDelta;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub(super) enum Outcome {
    Opened(Store),
    /// There is none yet. `check` does not create it.
    Absent,
    Failed,
}

/// How long the pages of a file are read.
const PAGE_CHECK: Duration = Duration::from_secs(20);
/// The largest unremarkable difference between the clock of the server and ours.
const MAX_DIFFERENCE: TimeDelta = TimeDelta::seconds(3);

pub(super) async fn check(
    url: &DatabaseUrl,
    clock: &Clock,
    checklist: &mut Checklist,
) -> anyhow::Result<Outcome> {
    let mut opened = Store::open_existing(url).await;
    if let Ok(store) = &opened
        && let Err(marked) = store.verify_takes_work().await
    {
        opened = Err(marked);
    }
    let mut is_read_in_part = false;
    if let Ok(store) = &opened {
        match works(store).await {
            Ok(checked) => is_read_in_part = checked == PagesChecked::Some,
            Err(error) => opened = Err(error),
        }
    }
    if is_read_in_part {
        let message = format!(
            "no damage in what was read in {} seconds; `reconnectd backup` verifies all of it",
            PAGE_CHECK.as_secs()
        );
        checklist.warning("database", &message)?;
    }
    match url {
        DatabaseUrl::Sqlite(path) => check_file(path, opened, checklist),
        DatabaseUrl::Postgres(url) => {
            if let Err(StoreError::Missing { .. }) = opened {
                let message = format!("{url} has no tables yet; `run` and `members import` create them");
                checklist.ok("database", &message)?;
                return Ok(Outcome::Absent);
            }
            if let Ok(store) = &opened
                && let Some(time) = store.server_time().await?
            {
                let difference = time - clock.now();
                if difference.abs() > MAX_DIFFERENCE {
                    let message = format!(
                        "the clock of the server differs from the clock of this host by {} seconds; synchronize both, such \
                         as with chrony",
                        difference.num_seconds()
                    );
                    checklist.warning("database", &message)?;
                }
            }
            outcome(opened, checklist)
        }
    }
}

/// Whether the database can be written, and its pages be read.
async fn works(store: &Store) -> Result<PagesChecked, StoreError> {
    store.probe_write().await?;
    store.check_pages(PAGE_CHECK, &CancellationToken::new()).await
}

fn outcome(opened: Result<Store, StoreError>, checklist: &mut Checklist) -> anyhow::Result<Outcome> {
    let opened = opened.map_err(Into::into);
    let store = checklist.result("database", opened, Store::location)?;
    Ok(store.map_or(Outcome::Failed, Outcome::Opened))
}

fn check_file(
    file: &Path,
    opened: Result<Store, StoreError>,
    checklist: &mut Checklist,
) -> anyhow::Result<Outcome> {
    let path = file.display();
    if let Some(name) = file_system::network_type(file) {
        let message = format!("{path} is on a network file system ({name}); SQLite needs a local disk");
        checklist.warning("database", &message)?;
    }
    if file_system::has_other_names(file) {
        let message = format!(
            "{path} has a second name (a hard link); a program that opens the file by that name damages it: SQLite \
             finds the files beside the database by its name"
        );
        checklist.warning("database", &message)?;
    }
    if let Err(StoreError::Missing { .. }) = opened {
        let message = format!("there is no database yet; `run` and `members import` create {path}");
        let creatable = Store::verify_folder(file).map_err(Into::into);
        let is_creatable = checklist.result("database", creatable, |()| message)?.is_some();
        return Ok(if is_creatable { Outcome::Absent } else { Outcome::Failed });
    }
    if file.metadata().is_ok_and(|metadata| private_files::is_exposed(&metadata)) {
        // An earlier version created it like any other file.
        let message = format!("other users can read or write {path}; run `chmod 600 {path}*`");
        checklist.warning("database", &message)?;
    }
    outcome(opened, checklist)
}
