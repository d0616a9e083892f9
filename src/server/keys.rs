//! The key ring at the start: it must belong to the database.

use crate::credentials::agreement::agree;
use crate::credentials::former_keys::load_former_keys;
use crate::credentials::key_check::{self, KeyReport};
use crate::credentials::keyring::Keyring;
use crate::domain::Time;
use crate::store::Store;

/// Marks the database as this key ring's, reads what is kept of former keys, and warns about credentials that the ring does
/// not open.
///
/// # Errors
/// The ring opens none of the stored credentials, has another key with the same id, or has only former keys.
pub(super) async fn verify(
    store: &Store,
    keyring: &Keyring,
    needs_token: bool,
    now: Time,
) -> anyhow::Result<()> {
    let report = KeyReport::new(store, keyring).await?;
    report.verify(needs_token)?;
    let former = load_former_keys(store, keyring, now).await?;
    if !former.is_empty() {
        tracing::warn!(
            event = "former_keys_locked",
            keys = former.join(", "),
            "the key ring does not open what is kept of these former keys; tokens that were imported under them are not \
             recognized"
        );
    }
    agree(store, keyring, now).await?;
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
