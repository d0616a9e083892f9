//! Whether the database can be used.

use super::checklist::Checklist;
use super::file_system;
use crate::base::config::DatabaseUrl;
use crate::base::private_files;
use crate::store::{Store, StoreError};
use std::path::Path;

pub(super) enum Outcome {
    Opened(Store),
    /// There is none yet. `check` does not create it.
    Absent,
    Failed,
}

pub(super) async fn check(url: &DatabaseUrl, checklist: &mut Checklist) -> anyhow::Result<Outcome> {
    let opened = Store::open_existing(url).await;
    match url {
        DatabaseUrl::Sqlite(path) => check_file(path, url, opened, checklist),
        DatabaseUrl::Postgres(_) => outcome(opened, checklist),
    }
}

fn outcome(opened: Result<Store, StoreError>, checklist: &mut Checklist) -> anyhow::Result<Outcome> {
    let opened = opened.map_err(Into::into);
    let store = checklist.result("database", opened, |store| store.path().display().to_string())?;
    Ok(store.map_or(Outcome::Failed, Outcome::Opened))
}

fn check_file(
    file: &Path,
    url: &DatabaseUrl,
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
        let creatable = Store::verify_folder(url).map_err(Into::into);
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
