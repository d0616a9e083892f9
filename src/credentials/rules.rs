//! The facts outside the database that decide on the state of a credential.

use super::key_check::KeyReport;
use super::keyring::Keyring;
use crate::domain::CredentialRules;
use crate::store::{Store, StoreError};

/// `needs_token`: whether every member needs a stored refresh token.
///
/// # Errors
/// Only errors of the store.
pub(crate) async fn credential_rules(
    store: &Store,
    keyring: &Keyring,
    needs_token: bool,
) -> Result<CredentialRules, StoreError> {
    let locked_keys =
        if needs_token { KeyReport::new(store, keyring).await?.locked_keys } else { Vec::new() };
    Ok(CredentialRules { needs_token, locked_keys })
}
