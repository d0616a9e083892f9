//! Encrypts credentials with the key ring (AES-256-GCM), so that a copy of the database alone is useless.
//!
//! The member, the column, and the key's id are authenticated, too: a ciphertext that was moved to another row cannot be
//! decrypted.
//!
//! The ring follows its file. [`Keyring::reread`] takes over a changed one, and so does the first value under a key that is
//! not known. A new key encrypts only after [`Keyring::seal_with`], because other processes must know it first.

mod error;
mod file;
mod key;
mod mac_keys;
mod ring;
#[cfg(test)]
mod tests;

pub use error::KeyringError;
pub use key::SealedField;
pub use mac_keys::MacPurpose;

use crate::domain::{Fingerprint, MemberId, NewCredential, RefreshToken, Sealed};
use file::{RingFile, Stamp};
use key::Key;
use mac_keys::{MacKeys, length_prefixed};
use ring::Ring;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use zeroize::Zeroizing;

/// The keys. One of them encrypts, usually the last one; all of them decrypt. What was derived from former keys still
/// recognizes what they signed.
pub struct Keyring {
    /// `None`: in memory only.
    path: Option<PathBuf>,
    ring: RwLock<Arc<Ring>>,
    /// Of the file when it was last read.
    stamp: Mutex<Option<Stamp>>,
}

/// The keys that were derived from one that was rotated out, as the database keeps them.
pub(crate) struct FormerKey {
    pub(crate) id: String,
    /// From [`Keyring::derived_keys`].
    pub(crate) derived: Zeroizing<String>,
    /// Whether pages that browsers still have can be older than the end of the key.
    pub(crate) has_pages: bool,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}

impl Keyring {
    /// Reads the key ring: one key per line, `ID BASE64`, oldest first. `#` begins a comment.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        let stamp = Stamp::of(path);
        let ring = Ring::new(RingFile::read(path)?.keys);
        Ok(Self { path: Some(path.to_owned()), ring: RwLock::new(Arc::new(ring)), stamp: Mutex::new(stamp) })
    }

    /// A key ring in memory only, for the demo and the tests.
    #[cfg(any(feature = "sim", test))]
    pub(crate) fn ephemeral() -> Self {
        let key = Key::new("ephemeral".into(), Zeroizing::new(crate::base::random::bytes()));
        let ring = Ring::new(vec![Arc::new(key.expect("a key of 32 bytes"))]);
        Self { path: None, ring: RwLock::new(Arc::new(ring)), stamp: Mutex::default() }
    }

    /// Writes a key ring with one new key, readable only by its owner. Returns the key's id.
    ///
    /// # Errors
    /// The file exists: keys are never overwritten.
    pub fn generate(path: &Path) -> Result<String, KeyringError> {
        let key = Key::generate()?;
        file::create(path, &key)?;
        Ok(key.id)
    }

    /// Adds a new key to the file, or writes the ring with it to another file, and leaves this one as it is. Returns the
    /// key's id.
    ///
    /// # Errors
    /// [`KeyringError::ReadOnly`]: the file cannot be changed. [`KeyringError::Exists`]: the other file exists.
    pub(crate) fn add_key(&self, to: Option<&Path>) -> Result<String, KeyringError> {
        let key = Key::generate()?;
        self.change_file(to, |file| file.with(&key))?;
        Ok(key.id)
    }

    /// Removes keys from the file, or writes the ring without them to another file, and leaves this one as it is.
    ///
    /// # Errors
    /// Those of [`Keyring::add_key`].
    pub(crate) fn remove_keys(&self, ids: &[String], to: Option<&Path>) -> Result<(), KeyringError> {
        self.change_file(to, |file| file.without(ids))
    }

    fn change_file(
        &self,
        to: Option<&Path>,
        change: impl FnOnce(&RingFile) -> Zeroizing<String>,
    ) -> Result<(), KeyringError> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = RingFile::read(path)?;
        let text = change(&file);
        match to {
            Some(to) => file::create_with(to, &text),
            None => {
                file.replace(&text)?;
                self.reread().map(drop)
            }
        }
    }

    /// Takes over the file's keys, if they have changed. Returns whether they had. A key that is gone from the file still
    /// opens what was read before, and what it signed stays valid, until [`Keyring::set_former`].
    ///
    /// # Errors
    /// The file cannot be used, or lacks the key that encrypts. The ring stays as it is.
    pub fn reread(&self) -> Result<bool, KeyringError> {
        self.reread_for(None)
    }

    fn reread_for(&self, sought: Option<&str>) -> Result<bool, KeyringError> {
        let Some(path) = &self.path else { return Ok(false) };
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = Stamp::of(path);
        let file = RingFile::read(path)?;
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let next = ring.with_keys(&file, sought)?;
        let has_changed = next.is_some();
        if let Some(next) = next {
            *ring = Arc::new(next);
        }
        Ok(has_changed)
    }

    /// Encrypts with this key from now on. A former key, or one that the ring does not have, changes nothing. Returns whether
    /// the key changed.
    pub(crate) fn seal_with(&self, id: &str) -> bool {
        let ring = self.ring();
        let is_change = ring.sealing != id && ring.has(id) && !ring.is_retired(id);
        if is_change {
            self.update(|ring| ring.sealing = id.to_owned());
        }
        is_change
    }

    /// Replaces what is known of former keys, the oldest first. None of them encrypts anymore.
    ///
    /// # Errors
    /// The ring has no other key than former ones.
    pub(crate) fn set_former(&self, former: &[FormerKey]) -> Result<(), KeyringError> {
        let derived = former
            .iter()
            .map(|key| Arc::new(MacKeys::from_text(&key.id, &key.derived, !key.has_pages)))
            .collect();
        self.update(|ring| ring.set_former(derived));
        let ring = self.ring();
        if ring.is_retired(&ring.sealing) {
            return Err(KeyringError::Retired(ring.sealing.clone()));
        }
        Ok(())
    }

    /// Stops to encrypt with a key that turned out to be a former one. Looks for a newer one in the file.
    /// Returns whether it has changed.
    ///
    /// # Errors
    /// Those of [`Keyring::reread`].
    pub(crate) fn leave(&self, id: &str) -> Result<bool, KeyringError> {
        self.update(|ring| ring.retire(id));
        self.reread()
    }

    /// Forgets the keys that left the file before the last call.
    pub(crate) fn forget_removed(&self) {
        self.update(Ring::forget_removed);
    }

    /// What has to be kept of a key when it is rotated out. It decrypts nothing. `None`: the ring lacks the key.
    pub(crate) fn derived_keys(&self, id: &str) -> Option<Zeroizing<String>> {
        self.ring().key(id).map(|key| key.macs.to_text())
    }

    /// Encrypts `plain` for `field` of `member`.
    pub(crate) fn seal(
        &self,
        member: &MemberId,
        field: SealedField,
        plain: &str,
    ) -> Result<Sealed, KeyringError> {
        self.ring().sealing()?.seal(member, field, plain)
    }

    /// Encrypts what an older key encrypted, with this one.
    pub(crate) fn seal_again(
        &self,
        member: &MemberId,
        field: SealedField,
        sealed: &Sealed,
        key: &str,
    ) -> Result<Sealed, KeyringError> {
        let plain = self.open_sealed(member, field, sealed)?;
        let ring = self.ring();
        let key = ring.key(key).ok_or_else(|| KeyringError::UnknownKey(key.to_owned()))?;
        key.seal(member, field, &plain)
    }

    /// Encrypts an imported refresh token. The fingerprints reveal a second import of the same token.
    pub fn new_credential(
        &self,
        member: &MemberId,
        token: &RefreshToken,
    ) -> Result<NewCredential, KeyringError> {
        let ring = self.ring();
        let sealed = ring.sealing()?.seal(member, SealedField::RefreshToken, token.expose())?;
        let print = |macs: &MacKeys| macs.fingerprint("imported_token", member, token.expose());
        let is_sealing = |macs: &&Arc<MacKeys>| macs.id == ring.sealing;
        let mut fingerprints: Vec<_> =
            ring.macs().filter(|macs| !is_sealing(macs)).filter_map(|macs| print(macs)).collect();
        fingerprints.extend(ring.macs().find(is_sealing).and_then(|macs| print(macs)));
        Ok(NewCredential { sealed, fingerprints })
    }

    /// What the audit has in the place of an erased member's id: the same for each erasure of the same id, and of no use to
    /// anybody without the ring. The oldest key decides, even after it was rotated out.
    pub fn pseudonym(&self, member: &MemberId) -> MemberId {
        let ring = self.ring();
        let sign = |macs: &Arc<MacKeys>| macs.sign(MacPurpose::ErasedMember, member.as_str().as_bytes());
        let hash = ring.macs().find_map(sign);
        let digits: String = hash.iter().flatten().take(16).map(|byte| format!("{byte:02x}")).collect();
        MemberId::new(format!("erased:{digits}"))
    }

    /// The fingerprint of the subject of a member's access tokens, under the key of `known` if it is given. `None`: neither
    /// the ring nor the former keys contain that key.
    pub(crate) fn subject_fingerprint(
        &self,
        member: &MemberId,
        subject: &str,
        known: Option<&Fingerprint>,
    ) -> Option<Fingerprint> {
        let ring = self.ring();
        let id = known.map_or(&ring.sealing, |known| &known.key_id);
        let macs = ring.macs().find(|macs| macs.id == *id)?;
        macs.fingerprint("token_subject", member, subject)
    }

    /// An HMAC over `parts` under the key that encrypts.
    pub(crate) fn sign(&self, purpose: MacPurpose, parts: &[&[u8]]) -> Option<Vec<u8>> {
        self.ring().sealing().ok()?.macs.sign(purpose, &length_prefixed(parts))
    }

    /// Verifies an HMAC under any key of the ring or a former one, in constant time for each.
    pub(crate) fn verify(&self, purpose: MacPurpose, parts: &[&[u8]], signature: &[u8]) -> bool {
        let (ring, message) = (self.ring(), length_prefixed(parts));
        ring.macs().any(|macs| macs.verify(purpose, &message, signature))
    }

    pub(crate) fn has_key(&self, id: &str) -> bool {
        self.ring().has(id)
    }

    /// The id of the last key in the file.
    pub fn newest_key_id(&self) -> String {
        self.ring().newest().to_owned()
    }

    /// The id of the key that encrypts.
    pub(crate) fn sealing_key_id(&self) -> String {
        self.ring().sealing.clone()
    }

    /// The newest first.
    pub fn key_ids(&self) -> Vec<String> {
        self.ring().keys.iter().rev().map(|key| key.id.clone()).collect()
    }

    pub(crate) fn can_open(&self, member: &MemberId, field: SealedField, sealed: &Sealed) -> bool {
        self.open_sealed(member, field, sealed).is_ok()
    }

    /// Decrypts the value of `field` of `member`. Looks for an unknown key in the file, if that was changed.
    pub fn open_sealed(
        &self,
        member: &MemberId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, KeyringError> {
        let mut ring = self.ring();
        if ring.opener(&sealed.key_id).is_none()
            && self.is_touched()
            && self.reread_for(Some(&sealed.key_id))?
        {
            ring = self.ring();
        }
        let key = ring.opener(&sealed.key_id);
        key.ok_or_else(|| KeyringError::UnknownKey(sealed.key_id.clone()))?.open(member, field, sealed)
    }

    /// Whether the file was probably changed since it was last read.
    fn is_touched(&self) -> bool {
        let Some(path) = &self.path else { return false };
        let now = Stamp::of(path);
        now.is_some() && now != *self.stamp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) -> Arc<Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Ring)) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut ring));
    }
}
