//! Whether the key ring belongs to the database. The id of a key proves nothing: another key can have the same id.

use super::error::CallError;
use super::keyring::{Keyring, KeyringError, SealedField};
use crate::domain::MemberId;
use crate::store::{Store, StoreError};

/// A key without a canary is tried on this many stored credentials, because a single one can be damaged.
const SAMPLES: u32 = 3;
/// The text of every canary.
const CANARY: &str = "canary";

/// The stored credentials that the key ring opens, and the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyReport {
    pub(crate) usable: u64,
    pub(crate) locked: u64,
    /// The keys of the locked credentials.
    pub(crate) locked_keys: Vec<String>,
    /// The id of the ring's newest key, if it is not the key that sealed the stored credentials under this id.
    impostor: Option<String>,
}

impl KeyReport {
    pub(crate) async fn new(store: &Store, keyring: &Keyring) -> Result<Self, StoreError> {
        let mut report = Self::default();
        for (key_id, credentials) in store.credentials_by_key().await? {
            if opens(store, keyring, &key_id).await? {
                report.usable += credentials;
            } else {
                report.locked += credentials;
                if keyring.newest_key_id() == key_id {
                    report.impostor = Some(key_id.clone());
                }
                report.locked_keys.push(key_id);
            }
        }
        Ok(report)
    }

    /// # Errors
    /// The ring opens nothing that is needed, or must not seal anything.
    pub(crate) fn verify(&self, needs_token: bool) -> Result<(), KeyringError> {
        self.verify_sealing()?;
        if needs_token && self.locked > 0 && self.usable == 0 {
            return Err(KeyringError::OpensNothing {
                locked: self.locked,
                keys: self.locked_keys.join(", "),
            });
        }
        Ok(())
    }

    /// # Errors
    /// Two keys with one id would seal credentials, and nothing could tell them apart anymore.
    pub(crate) fn verify_sealing(&self) -> Result<(), KeyringError> {
        self.impostor.as_ref().map_or(Ok(()), |id| Err(KeyringError::OtherKey(id.clone())))
    }
}

async fn opens(store: &Store, keyring: &Keyring, key_id: &str) -> Result<bool, StoreError> {
    if !keyring.has_key(key_id) {
        return Ok(false);
    }
    if let Some(canary) = store.key_canary(key_id).await? {
        return Ok(keyring.can_open(&nobody(), SealedField::Canary, &canary));
    }
    let samples = store.sealed_with(key_id, SAMPLES).await?;
    let any =
        samples.iter().any(|(member, sealed)| keyring.can_open(member, SealedField::RefreshToken, sealed));
    Ok(samples.is_empty() || any)
}

/// Stores a canary of the key that encrypts, unless there is one. Call it only when the ring may seal.
///
/// # Errors
/// Only errors of the store, as long as the ring has a key.
pub(crate) async fn leave_canary(store: &Store, keyring: &Keyring) -> Result<(), CallError> {
    let sealed = keyring.seal(&nobody(), SealedField::Canary, CANARY)?;
    let known = store.key_canary(&sealed.key_id).await?;
    if !known.is_some_and(|known| keyring.can_open(&nobody(), SealedField::Canary, &known)) {
        store.store_key_canary(&sealed).await?;
    }
    Ok(())
}

/// A canary belongs to no member.
fn nobody() -> MemberId {
    MemberId::from("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::DatabaseUrl;
    use crate::store::testing::TestDatabase;

    #[tokio::test]
    async fn a_key_is_known_by_its_canary_even_if_no_credential_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (ring, file) = (folder.path().join("ring.keys"), folder.path().join("keys.db"));
        Keyring::generate(&ring).unwrap();
        let keyring = Keyring::open(&ring).unwrap();
        let store = Store::open(&DatabaseUrl::Sqlite(file.clone())).await.unwrap();
        leave_canary(&store, &keyring).await.unwrap();
        let damaged = format!(
            "INSERT INTO members (member_id, email, subject, added_at, updated_at) VALUES ('alice', '', '', 1, 1);
             INSERT INTO credentials (member_id, key_id, sealed, updated_at) VALUES ('alice', '{}', x'00', 1)",
            keyring.newest_key_id()
        );
        TestDatabase::open(&file).await.unwrap().run(&damaged).await.unwrap();
        let report = KeyReport::new(&store, &keyring).await.unwrap();
        assert_eq!(report, KeyReport { usable: 1, ..KeyReport::default() });
    }
}
