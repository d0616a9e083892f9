//! Where the database is.

use super::file_identity::FileIdentity;
use std::fmt;
use std::path::{Path, PathBuf};

const LOG: &str = "-wal";
const LOG_INDEX: &str = "-shm";

#[derive(Clone, Debug)]
pub(super) enum Place {
    File {
        path: PathBuf,
        identity: FileIdentity,
        /// The write-ahead log and its index, which stay in place as long as a connection is open.
        beside: Vec<(PathBuf, FileIdentity)>,
    },
    /// Of PostgreSQL: the URL without the password.
    Server(String),
}

impl Place {
    /// Of a file that is open.
    pub(super) fn of_file(path: PathBuf, identity: FileIdentity) -> Self {
        let files = [LOG, LOG_INDEX].into_iter().map(|ending| beside(&path, ending));
        let beside = files.filter_map(|path| FileIdentity::of(&path).ok().map(|identity| (path, identity)));
        Self::File { beside: beside.collect(), path, identity }
    }

    /// A file of the database in whose place another one is, or none. Never on a server.
    pub(super) fn gone(&self) -> Option<&Path> {
        let Self::File { path, identity, beside } = self else { return None };
        let beside = beside.iter().map(|(path, identity)| (path, identity));
        let mut files = std::iter::once((path, identity)).chain(beside);
        files.find(|(path, identity)| identity.is_gone_from(path)).map(|(path, _)| path.as_path())
    }

    /// Whether the write-ahead log was deleted, and nothing else. The open connections can still read what it has.
    pub(super) fn lacks_only_its_log(&self) -> bool {
        let Self::File { path, identity, beside } = self else { return false };
        let log = self.log();
        let is_as_expected = |(file, identity): &(PathBuf, FileIdentity)| match log.as_ref() == Some(file) {
            true => matches!(file.try_exists(), Ok(false)),
            false => !identity.is_gone_from(file),
        };
        !identity.is_gone_from(path) && beside.iter().all(is_as_expected)
    }

    /// The write-ahead log of a file.
    pub(super) fn log(&self) -> Option<PathBuf> {
        self.file().map(|path| beside(path, LOG))
    }

    /// `None` on a server.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Server(_) => None,
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Server(url) => f.write_str(url),
        }
    }
}
