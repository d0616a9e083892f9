//! Encrypts credentials with the key ring (AES-256-GCM), so that a copy of the database alone is useless.
//!
//! The member, the column, and the key's id are authenticated, too: a ciphertext that was moved to another row cannot be
//! decrypted.

use crate::base::{private_files, random};
use crate::domain::{Fingerprint, MemberId, NewCredential, RefreshToken, Sealed};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{fmt, io::Read, io::Write, path::Path, path::PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// The column of an encrypted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedField {
    /// `credentials.sealed`
    RefreshToken,
    /// `access_tokens.sealed`
    AccessToken,
    /// `key_canaries.sealed`
    Canary,
}

impl SealedField {
    fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "credentials",
            Self::AccessToken => "access_tokens",
            Self::Canary => "key_canaries",
        }
    }
}

/// The reason why the key ring or an encrypted value cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is no file at `keys.file`.
    #[error("keys.file: no key ring at {0}; make one with `reconnectd keys generate`, or restore yours")]
    Missing(PathBuf),
    /// The key ring cannot be read or written.
    #[error("keys.file: {path}: {error}")]
    Io { path: PathBuf, error: std::io::Error },
    /// A line of the key ring is not `ID BASE64`.
    #[error("keys.file: {path}:{line}: expected `ID KEY` with a key of 32 bytes in base64")]
    Line {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The key ring has no key.
    #[error("keys.file: {0} holds no key; make one with `reconnectd keys generate`")]
    Empty(PathBuf),
    /// Other users can read or write the key ring, or its group can write it.
    #[error("keys.file: others can read or write {0}; run `chmod 600` on it")]
    InsecurePermissions(PathBuf),
    /// `keys generate` does not overwrite.
    #[error("keys.file: {0} exists already; it is left as it is")]
    Exists(PathBuf),
    /// The value was encrypted with a key that the ring does not contain.
    #[error("key {0} is not in the key ring; restore the ring that the database was used with")]
    UnknownKey(String),
    /// The database belongs to another key ring.
    #[error(
        "keys.file: the key ring opens none of the {locked} stored credentials, which key {keys} sealed; restore the \
         ring that the database was used with, or import fresh refresh tokens with `reconnectd members import`"
    )]
    OpensNothing {
        locked: u64,
        /// The ids, with commas.
        keys: String,
    },
    /// Another key than the one of this id sealed stored credentials.
    #[error(
        "keys.file: key {0} is another key than the one with this id that sealed stored credentials; restore the ring \
         that the database was used with, or make one with `reconnectd keys generate`, which has an id of its own"
    )]
    OtherKey(String),
    /// The ciphertext, its row, or the key has changed since the encryption.
    #[error(
        "a sealed value does not open: the database and the key ring do not belong together, or it was altered"
    )]
    DecryptFailed,
}

struct Key {
    id: String,
    secret: Zeroizing<[u8; 32]>,
    /// Of `secret`, prepared once: a sweep opens two values for each member.
    cipher: RandomizedNonceKey,
}

impl Key {
    /// # Errors
    /// The library refuses the key.
    fn new(id: String, secret: Zeroizing<[u8; 32]>) -> Result<Self, KeyringError> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, secret.as_slice());
        Ok(Self { id, secret, cipher: cipher.map_err(|_| KeyringError::DecryptFailed)? })
    }
}

/// The keys. The last one encrypts; all of them decrypt.
pub struct Keyring {
    keys: Vec<Key>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Keyring {
    /// Reads the key ring: one key per line, `ID BASE64`, oldest first. `#` begins a comment.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        let io = |error| KeyringError::Io { path: path.to_owned(), error };
        let mut file = std::fs::File::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => KeyringError::Missing(path.to_owned()),
            _ => io(error),
        })?;
        if private_files::is_exposed(&file.metadata().map_err(io)?) {
            return Err(KeyringError::InsecurePermissions(path.to_owned()));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let keys = parse(path, &text);
        text.zeroize();
        let keys = keys?;
        if keys.is_empty() { Err(KeyringError::Empty(path.to_owned())) } else { Ok(Self { keys }) }
    }

    /// A key ring in memory only, for the demo and the tests.
    #[cfg(any(feature = "sim", test))]
    pub(crate) fn ephemeral() -> Self {
        let key = Key::new("ephemeral".into(), Zeroizing::new(random::bytes()));
        Self { keys: vec![key.expect("a key of 32 bytes")] }
    }

    /// Writes a key ring with one new key, readable only by its owner. Returns the key's id.
    ///
    /// # Errors
    /// The file exists: keys are never overwritten.
    pub fn generate(path: &Path) -> Result<String, KeyringError> {
        let io = |error| KeyringError::Io { path: path.to_owned(), error };
        let mut file = private_files::create_new(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => KeyringError::Exists(path.to_owned()),
            _ => io(error),
        })?;
        let id: String = random::bytes::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
        let secret = Zeroizing::new(random::bytes::<32>());
        let text = Zeroizing::new(format!(
            "# reconnectd key ring: ID and key, oldest first; the last one seals.\n\
             # Keep a copy apart from the database: without it no stored credential can be used.\n\
             {id} {}\n",
            STANDARD.encode(secret.as_slice())
        ));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(id)
    }

    /// Encrypts `plain` for `field` of `member` with the newest key.
    pub(crate) fn seal(
        &self,
        member: &MemberId,
        field: SealedField,
        plain: &str,
    ) -> Result<Sealed, KeyringError> {
        let key = self.keys.last().ok_or(KeyringError::DecryptFailed)?;
        let mut bytes = plain.as_bytes().to_vec();
        let nonce = key
            .cipher
            .seal_in_place_append_tag(Aad::from(aad(member, field, &key.id)), &mut bytes)
            .map_err(|_| KeyringError::DecryptFailed)?;
        bytes.splice(0..0, nonce.as_ref().iter().copied());
        Ok(Sealed { key_id: key.id.clone(), bytes })
    }

    /// Encrypts an imported refresh token. The fingerprints reveal a second import of the same token.
    pub fn new_credential(
        &self,
        member: &MemberId,
        token: &RefreshToken,
    ) -> Result<NewCredential, KeyringError> {
        let sealed = self.seal(member, SealedField::RefreshToken, token.expose())?;
        let fingerprints =
            self.keys.iter().map(|key| fingerprint(key, "imported_token", member, token.expose())).collect();
        Ok(NewCredential { sealed, fingerprints })
    }

    /// What the audit has in the place of an erased member's id: the same for each erasure of the same id, as long as the
    /// oldest key stays, and of no use to anybody without the ring.
    pub fn pseudonym(&self, member: &MemberId) -> MemberId {
        let key = self.keys.first().map(|key| mac_key(key, "erased member"));
        let hash = key.map(|key| hmac::sign(&key, member.as_str().as_bytes()));
        let hash = hash.as_ref().map(hmac::Tag::as_ref).unwrap_or_default();
        let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        MemberId::new(format!("erased:{digits}"))
    }

    /// The fingerprint of the subject of a member's access tokens, under the newest key, or under the key of `known`
    /// if it is given. `None`: the ring does not contain that key.
    pub(crate) fn subject_fingerprint(
        &self,
        member: &MemberId,
        subject: &str,
        known: Option<&Fingerprint>,
    ) -> Option<Fingerprint> {
        let key = match known {
            Some(known) => self.keys.iter().find(|key| key.id == known.key_id),
            None => self.keys.last(),
        };
        key.map(|key| fingerprint(key, "token_subject", member, subject))
    }

    /// An HMAC over `parts` under the newest key.
    pub(crate) fn sign(&self, purpose: &str, parts: &[&[u8]]) -> Option<Vec<u8>> {
        let key = mac_key(self.keys.last()?, purpose);
        Some(hmac::sign(&key, &length_prefixed(parts)).as_ref().to_vec())
    }

    /// Verifies an HMAC under any key of the ring, in constant time for each.
    pub(crate) fn verify(&self, purpose: &str, parts: &[&[u8]], signature: &[u8]) -> bool {
        let message = length_prefixed(parts);
        self.keys.iter().any(|key| hmac::verify(&mac_key(key, purpose), &message, signature).is_ok())
    }

    pub(crate) fn has_key(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// The id of the key that seals.
    pub(crate) fn newest_key_id(&self) -> Option<&str> {
        self.keys.last().map(|key| key.id.as_str())
    }

    /// The newest first.
    pub(crate) fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().rev().map(|key| key.id.as_str())
    }

    pub(crate) fn can_open(&self, member: &MemberId, field: SealedField, sealed: &Sealed) -> bool {
        self.open_sealed(member, field, sealed).is_ok()
    }

    /// Decrypts the value of `field` of `member`.
    pub fn open_sealed(
        &self,
        member: &MemberId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, KeyringError> {
        let key = self
            .keys
            .iter()
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| KeyringError::UnknownKey(sealed.key_id.clone()))?;
        let (nonce, ciphertext) =
            sealed.bytes.split_at_checked(NONCE_LEN).ok_or(KeyringError::DecryptFailed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyringError::DecryptFailed)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let plain = key
            .cipher
            .open_in_place(nonce, Aad::from(aad(member, field, &key.id)), &mut buffer)
            .map_err(|_| KeyringError::DecryptFailed)?;
        std::str::from_utf8(plain)
            .map(|text| Zeroizing::new(text.to_owned()))
            .map_err(|_| KeyringError::DecryptFailed)
    }
}

/// Bound to the member and the purpose, so that two rows do not reveal that they contain the same secret. The HMAC key is
/// derived from the ring's key, which itself only encrypts.
fn fingerprint(key: &Key, purpose: &str, member: &MemberId, text: &str) -> Fingerprint {
    let ring = hmac::Key::new(hmac::HMAC_SHA256, key.secret.as_slice());
    let derived = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&ring, b"reconnectd fingerprint").as_ref());
    let mut context = hmac::Context::with_key(&derived);
    for part in [purpose, member.as_str(), text] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    Fingerprint { key_id: key.id.clone(), hash: context.sign().as_ref().to_vec() }
}

/// Derived from the ring's key, which itself only encrypts. Each purpose has its own key.
fn mac_key(key: &Key, purpose: &str) -> hmac::Key {
    let ring = hmac::Key::new(hmac::HMAC_SHA256, key.secret.as_slice());
    let derived = hmac::sign(&ring, format!("reconnectd mac {purpose}").as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

/// An unambiguous encoding: two different lists of parts never have the same bytes.
fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
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

fn parse(path: &Path, text: &str) -> Result<Vec<Key>, KeyringError> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || KeyringError::Line { path: path.to_owned(), line: number + 1 };
        let (id, key) = line.split_once(char::is_whitespace).ok_or_else(bad)?;
        let key = Zeroizing::new(STANDARD.decode(key.trim()).map_err(|_| bad())?);
        let secret = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| bad())?;
        if keys.iter().any(|known: &Key| known.id == id) {
            return Err(bad());
        }
        keys.push(Key::new(id.to_owned(), Zeroizing::new(secret)).map_err(|_| bad())?);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> (tempfile::TempDir, Keyring) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring.keys");
        Keyring::generate(&path).unwrap();
        let keyring = Keyring::open(&path).unwrap();
        (folder, keyring)
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_place_and_nowhere_else() {
        let (_folder, keyring) = ring();
        let alice = MemberId::from("alice");
        let sealed = keyring.seal(&alice, SealedField::RefreshToken, "rt-alice").unwrap();
        assert!(!sealed.bytes.windows(8).any(|window| window == b"rt-alice"));
        let opened = keyring.open_sealed(&alice, SealedField::RefreshToken, &sealed).unwrap();
        assert_eq!(opened.as_str(), "rt-alice");
        assert!(keyring.open_sealed(&MemberId::from("bob"), SealedField::RefreshToken, &sealed).is_err());
        assert!(keyring.open_sealed(&alice, SealedField::AccessToken, &sealed).is_err());
        let mut altered = sealed.clone();
        altered.bytes[20] ^= 1;
        assert!(keyring.open_sealed(&alice, SealedField::RefreshToken, &altered).is_err());
    }

    #[test]
    fn the_same_text_never_seals_to_the_same_bytes() {
        let (_folder, keyring) = ring();
        let alice = MemberId::from("alice");
        let seal = || keyring.seal(&alice, SealedField::RefreshToken, "rt-alice").unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn a_key_ring_is_never_overwritten_and_its_troubles_name_the_place() {
        let (folder, _vault) = ring();
        let path = folder.path().join("ring.keys");
        assert!(matches!(Keyring::generate(&path), Err(KeyringError::Exists(_))));
        let missing = Keyring::open(&folder.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("keys generate"), "{missing}");
        std::fs::write(&path, "# fine\nk1 short\n").unwrap();
        let line = Keyring::open(&path).unwrap_err().to_string();
        assert!(line.contains("ring.keys:2"), "{line}");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Keyring::open(&path), Err(KeyringError::Empty(_))));
    }

    #[test]
    #[cfg(unix)]
    fn a_key_ring_that_others_can_read_or_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, _vault) = ring();
        let path = folder.path().join("ring.keys");
        for mode in [0o644, 0o602, 0o622, 0o660] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let opened = Keyring::open(&path);
            assert!(matches!(opened, Err(KeyringError::InsecurePermissions(_))), "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        Keyring::open(&path).unwrap();
    }
}
