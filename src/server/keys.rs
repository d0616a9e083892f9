//! The key ring at the start: it must belong to the database.

use crate::credentials::key_check::{self, KeyReport};
use crate::credentials::keyring::Keyring;
use crate::store::Store;

/// Marks the database as this key ring's, and warns about credentials that the ring does not open.
///
/// # Errors
/// The ring opens none of the stored credentials, or has another key with the same id.
pub(super) async fn verify(store: &Store, keyring: &Keyring, needs_token: bool) -> anyhow::Result<()> {
    let report = KeyReport::new(store, keyring).await?;
    report.verify(needs_token)?;
    key_check::leave_canary(store, keyring).await?;
    if report.locked > 0 && needs_token {
        tracing::warn!(
            event = "credentials_locked",
            members = report.locked,
            keys = report.locked_keys.join(", "),
            "the key ring does not open these members' credentials; restore the keys, or import the tokens again"
        );
    }
    Ok(())
}
