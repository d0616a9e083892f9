//! Whether the database can be used.

use super::checklist::Checklist;
use super::file_system;
use crate::base::config::DatabaseUrl;
use crate::store::{Store, StoreError};

pub(super) enum Outcome {
    Opened(Store),
    /// There is none yet. `check` does not create it.
    Absent,
    Failed,
}

pub(super) async fn check(url: &DatabaseUrl, checklist: &mut Checklist) -> anyhow::Result<Outcome> {
    let path = url.path().display();
    let folder = url.path().parent().filter(|folder| !folder.as_os_str().is_empty());
    let opened = match Store::open_existing(url).await {
        Err(StoreError::Missing { .. }) if folder.is_none_or(|folder| folder.is_dir()) => {
            let message = format!("there is no database yet; `run` and `members import` create {path}");
            checklist.ok("database", &message)?;
            return Ok(Outcome::Absent);
        }
        Err(StoreError::Missing { .. }) => Err(anyhow::anyhow!(
            "database.url: cannot create {path}: its folder does not exist; create it, and let the daemon's user write it"
        )),
        opened => opened.map_err(Into::into),
    };
    if let Some(name) = file_system::network_type(url.path()) {
        let message = format!("{path} is on a network file system ({name}); SQLite needs a local disk");
        checklist.warning("database", &message)?;
    }
    let store = checklist.result("database", opened, |store| store.path().display().to_string())?;
    Ok(store.map_or(Outcome::Failed, Outcome::Opened))
}
