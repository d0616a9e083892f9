//! One key of the ring.

use super::error::KeyringError;
use super::mac_keys::MacKeys;
use crate::base::random;
use crate::domain::{MemberId, Sealed};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The column of an encrypted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedField {
    /// `credentials.sealed`
    RefreshToken,
    /// `access_tokens.sealed`
    AccessToken,
    /// `key_canaries.sealed`
    Canary,
    /// `former_keys.sealed`
    FormerKey,
}

impl SealedField {
    fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "credentials",
            Self::AccessToken => "access_tokens",
            Self::Canary => "key_canaries",
            Self::FormerKey => "former_keys",
        }
    }
}

pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: Zeroizing<[u8; 32]>,
    /// Of `secret`, prepared once: a sweep opens two values for each member.
    cipher: RandomizedNonceKey,
    pub(super) macs: Arc<MacKeys>,
}

impl Key {
    /// # Errors
    /// The library refuses the key.
    pub(super) fn new(id: String, secret: Zeroizing<[u8; 32]>) -> Result<Self, KeyringError> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, secret.as_slice());
        let macs = Arc::new(MacKeys::derive(&id, secret.as_slice()));
        Ok(Self { id, secret, cipher: cipher.map_err(|_| KeyringError::DecryptFailed)?, macs })
    }

    pub(super) fn generate() -> Result<Self, KeyringError> {
        let id = random::bytes::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self::new(id, Zeroizing::new(random::bytes()))
    }

    pub(super) fn seal(
        &self,
        member: &MemberId,
        field: SealedField,
        plain: &str,
    ) -> Result<Sealed, KeyringError> {
        let mut bytes = plain.as_bytes().to_vec();
        let nonce = self
            .cipher
            .seal_in_place_append_tag(Aad::from(aad(member, field, &self.id)), &mut bytes)
            .map_err(|_| KeyringError::DecryptFailed)?;
        bytes.splice(0..0, nonce.as_ref().iter().copied());
        Ok(Sealed { key_id: self.id.clone(), bytes })
    }

    pub(super) fn open(
        &self,
        member: &MemberId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, KeyringError> {
        let (nonce, ciphertext) =
            sealed.bytes.split_at_checked(NONCE_LEN).ok_or(KeyringError::DecryptFailed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyringError::DecryptFailed)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let plain = self
            .cipher
            .open_in_place(nonce, Aad::from(aad(member, field, &self.id)), &mut buffer)
            .map_err(|_| KeyringError::DecryptFailed)?;
        std::str::from_utf8(plain)
            .map(|text| Zeroizing::new(text.to_owned()))
            .map_err(|_| KeyringError::DecryptFailed)
    }
}

/// The associated data. Each part follows its length, so that two rows never have the same data.
fn aad(member: &MemberId, field: SealedField, key_id: &str) -> Vec<u8> {
    let mut aad = Vec::with_capacity(64 + member.as_str().len());
    for part in [member.as_str(), field.as_str(), key_id] {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part.as_bytes());
    }
    aad
}
