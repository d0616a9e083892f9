//! The file of a key ring: one key per line, `ID BASE64`, oldest first. `#` begins a comment.

use super::error::KeyringError;
use super::key::Key;
use crate::base::private_files::{self, Replaced};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

const HEADER: &str = "# reconnectd key ring: ID and key, oldest first; the last one seals.\n\
    # Keep a copy apart from the database: without it no stored credential can be used.\n";

/// Tells cheaply whether a file was probably changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    /// `None` when the file cannot be found.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&file);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { modified: file.modified().ok(), length: file.len(), inode })
    }
}

/// A file that was read.
pub(super) struct RingFile {
    pub(super) path: PathBuf,
    pub(super) text: Zeroizing<String>,
    pub(super) keys: Vec<Arc<Key>>,
}

impl RingFile {
    pub(super) fn read(path: &Path) -> Result<Self, KeyringError> {
        let io = |error| KeyringError::Io { path: path.to_owned(), error };
        let mut file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => KeyringError::Missing(path.to_owned()),
            _ => io(error),
        })?;
        if private_files::is_exposed(&file.metadata().map_err(io)?) {
            return Err(KeyringError::InsecurePermissions(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(io)?;
        let keys = parse(path, &text)?;
        if keys.is_empty() {
            return Err(KeyringError::Empty(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), text, keys })
    }

    /// The text with another key, which becomes the newest.
    pub(super) fn with(&self, key: &Key) -> Zeroizing<String> {
        let separator = if self.text.ends_with('\n') { "" } else { "\n" };
        Zeroizing::new(format!("{}{separator}{}", *self.text, *line(key)))
    }

    /// The text without these keys. Comments stay.
    pub(super) fn without(&self, ids: &[String]) -> Zeroizing<String> {
        let is_removed = |line: &str| {
            let id = line.trim().split_once(char::is_whitespace).map(|(id, _)| id);
            id.is_some_and(|id| ids.iter().any(|removed| removed == id))
        };
        let mut text = Zeroizing::new(String::with_capacity(self.text.len()));
        for line in self.text.split_inclusive('\n').filter(|line| !is_removed(line)) {
            text.push_str(line);
        }
        text
    }

    /// Puts the text in the place of the file, so that a reader sees either one, and a crash leaves either one.
    pub(super) fn replace(&self, text: &str) -> Result<(), KeyringError> {
        let path = || self.path.clone();
        private_files::replace(&self.path, text.as_bytes()).map_err(|error| match error {
            Replaced::NotAtAll(error) => KeyringError::ReadOnly { path: path(), error },
            Replaced::MaybeNotDurable(error) => KeyringError::Io { path: path(), error },
        })
    }
}

/// Writes a new file with one key.
pub(super) fn create(path: &Path, key: &Key) -> Result<(), KeyringError> {
    create_with(path, &Zeroizing::new(format!("{HEADER}{}", *line(key))))
}

/// # Errors
/// The file exists: keys are never overwritten.
pub(super) fn create_with(path: &Path, text: &str) -> Result<(), KeyringError> {
    let io = |error| KeyringError::Io { path: path.to_owned(), error };
    let mut file = private_files::create_new(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => KeyringError::Exists(path.to_owned()),
        _ => io(error),
    })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)
}

fn line(key: &Key) -> Zeroizing<String> {
    Zeroizing::new(format!("{} {}\n", key.id, STANDARD.encode(key.secret.as_slice())))
}

fn parse(path: &Path, text: &str) -> Result<Vec<Arc<Key>>, KeyringError> {
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
        if keys.iter().any(|known: &Arc<Key>| known.id == id) {
            return Err(bad());
        }
        keys.push(Arc::new(Key::new(id.to_owned(), Zeroizing::new(secret)).map_err(|_| bad())?));
    }
    Ok(keys)
}
