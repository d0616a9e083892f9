//! Whether the key ring can be used, and belongs to the database.

use super::checklist::Checklist;
use super::database;
use crate::cli::context::{Context, locked_warning};
use crate::credentials::key_check::KeyReport;
use crate::credentials::keyring::Keyring;

pub(super) async fn check(
    context: &Context,
    database: &database::Outcome,
    checklist: &mut Checklist,
) -> anyhow::Result<()> {
    let file = &context.config.keys.file;
    let report = async {
        let keyring = Keyring::open(file)?;
        let report = match database {
            database::Outcome::Opened(store) => KeyReport::new(store, &keyring).await?,
            database::Outcome::Absent | database::Outcome::Failed => KeyReport::default(),
        };
        report.verify(context.needs_token())?;
        anyhow::Ok(report)
    };
    match report.await {
        Ok(report) if report.locked > 0 && context.needs_token() => {
            checklist.warning("keys", &format!("{}: {}", file.display(), locked_warning(report.locked)))?;
        }
        report => {
            checklist.result("keys", report, |_| file.display().to_string())?;
        }
    }
    Ok(())
}
