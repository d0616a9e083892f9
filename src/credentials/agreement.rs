//! Which key encrypts, when several processes share the database: the newest one that all live instances have.

use super::keyring::Keyring;
use crate::domain::Time;
use crate::store::{Store, StoreError};

/// Encrypts with the newest key that all live instances have. Returns whether that is a change. Publish the own keys first:
/// who joins later then sees them.
///
/// # Errors
/// Only errors of the store.
pub(crate) async fn agree(store: &Store, keyring: &Keyring, now: Time) -> Result<bool, StoreError> {
    let own = keyring.key_ids();
    if own.len() == 1 {
        return Ok(false);
    }
    let instances = store.keys_of_instances(now).await?;
    let is_common = |id: &&String| instances.iter().all(|instance| instance.key_ids.contains(id));
    Ok(own.iter().find(is_common).is_some_and(|agreed| keyring.seal_with(agreed)))
}
