//! Whether the key ring can be used, and belongs to the database.

use super::checklist::Checklist;
use super::database;
use crate::cli::context::{Context, locked_warning};
use crate::credentials::key_check::KeyReport;
use crate::credentials::keyring::Keyring;
use crate::store::{SealedTable, Store, StoreError};

pub(super) async fn check(
    context: &Context,
    database: &database::Outcome,
    checklist: &mut Checklist,
) -> anyhow::Result<()> {
    let file = &context.config.keys.file;
    let mut warning = None;
    let report = async {
        let keyring = Keyring::open(file)?;
        let report = match database {
            database::Outcome::Opened(store) => KeyReport::new(store, &keyring).await?,
            database::Outcome::Absent | database::Outcome::Failed => KeyReport::default(),
        };
        report.verify(context.needs_token())?;
        if let database::Outcome::Opened(store) = database {
            warning = unfinished_rotation(store, &keyring).await?;
        }
        anyhow::Ok(report)
    };
    match report.await {
        Ok(report) if report.locked > 0 && context.needs_token() => {
            checklist.warning("keys", &format!("{}: {}", file.display(), locked_warning(report.locked)))?;
        }
        report => match warning {
            Some(warning) => checklist.warning("keys", &format!("{}: {warning}", file.display()))?,
            None => drop(checklist.result("keys", report, |_| file.display().to_string())?),
        },
    }
    Ok(())
}

/// What is left of a rotation of the keys.
async fn unfinished_rotation(store: &Store, keyring: &Keyring) -> Result<Option<String>, StoreError> {
    let ids = keyring.key_ids();
    let [newest, old @ ..] = ids.as_slice() else { return Ok(None) };
    let (mut needed, mut values, mut unneeded) = (Vec::new(), 0, Vec::new());
    for id in old {
        let credentials = store.count_sealed(SealedTable::Credentials, id).await?;
        let count = credentials + store.count_sealed(SealedTable::AccessTokens, id).await?;
        values += count;
        if count > 0 { needed.push(id.as_str()) } else { unneeded.push(id.as_str()) }
    }
    Ok(if !needed.is_empty() {
        let needed = needed.join(", ");
        Some(format!(
            "{values} values are encrypted with key {needed}, which is older than key {newest}; run `reconnectd keys rotate`"
        ))
    } else if !unneeded.is_empty() {
        let unneeded = unneeded.join(", ");
        Some(format!("nothing in the database needs key {unneeded}; `reconnectd keys rotate` removes it"))
    } else {
        None
    })
}
