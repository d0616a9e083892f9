//! The troubles of a key ring.

use std::path::PathBuf;

/// The reason why the key ring or an encrypted value cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is no file at `keys.file`.
    #[error("keys.file: no key ring at {0}; make one with `reconnectd keys generate`, or restore yours")]
    Missing(PathBuf),
    /// The key ring cannot be read or written.
    #[error("keys.file: {path}: {error}")]
    Io { path: PathBuf, error: std::io::Error },
    /// The key ring cannot be changed where it is, such as a mounted secret.
    #[error(
        "keys.file: cannot change {path}: {error}; write the next key ring to another file with `reconnectd keys rotate \
         --to FILE`, and put that file in its place"
    )]
    ReadOnly { path: PathBuf, error: std::io::Error },
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
    /// No key ring is overwritten, except by its own change.
    #[error("keys.file: {0} exists already; it is left as it is")]
    Exists(PathBuf),
    /// The file has changed to a ring that this process cannot take over.
    #[error(
        "keys.file: {path} no longer has key {key}, with which this process encrypts; put the key back, or restart to use \
         the new key ring"
    )]
    OtherRing { path: PathBuf, key: String },
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
    /// Every key of the ring was rotated out of the database.
    #[error("keys.file: key {0} was rotated out of this database; use the key ring that `keys rotate` left")]
    Retired(String),
    /// The ciphertext, its row, or the key has changed since the encryption.
    #[error(
        "a sealed value does not open: the database and the key ring do not belong together, or it was altered"
    )]
    DecryptFailed,
}
