//! What the database keeps of former keys, for the key ring.

use super::error::CallError;
use super::keyring::{FormerKey, Keyring, SealedField};
use crate::domain::{MemberId, Sealed, Time};
use crate::store::Store;
use chrono::TimeDelta;
use zeroize::Zeroizing;

/// Browsers hold what a key signed for at most so long: the session of the dashboard for half of it.
const PAGES: TimeDelta = TimeDelta::days(1);

/// Gives the ring what is known of former keys. Returns those whose derived keys no key of the ring opens.
///
/// # Errors
/// Those of the store, and a ring that has only former keys.
pub(crate) async fn load_former_keys(
    store: &Store,
    keyring: &Keyring,
    now: Time,
) -> Result<Vec<String>, CallError> {
    let (mut former, mut locked) = (Vec::new(), Vec::new());
    for stored in store.former_keys().await? {
        let derived = open(keyring, &stored.key_id, &stored.sealed);
        if derived.is_none() {
            locked.push(stored.key_id.clone());
        }
        former.push(FormerKey {
            id: stored.key_id,
            // It must not encrypt, even so.
            derived: derived.unwrap_or_default(),
            has_pages: now < stored.retired_at + PAGES,
        });
    }
    keyring.set_former(&former)?;
    Ok(locked)
}

/// The id of the former key stands for the member.
pub(super) fn owner(key_id: &str) -> MemberId {
    MemberId::from(key_id)
}

fn open(keyring: &Keyring, key_id: &str, sealed: &Sealed) -> Option<Zeroizing<String>> {
    keyring.open_sealed(&owner(key_id), SealedField::FormerKey, sealed).ok()
}
