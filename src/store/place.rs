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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn replace(path: &Path) {
        let other = path.with_extension("other");
        fs::write(&other, "").unwrap();
        fs::rename(&other, path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_a_log_that_was_deleted_and_nothing_else_can_be_rescued() {
        for (deleted, replaced, expected) in [
            (&[][..], &[][..], false),
            (&["-wal"], &[], true),
            (&[], &["-wal"], false),
            (&["-shm"], &[], false),
            (&[""], &[], false),
            (&["-wal", "-shm"], &[], false),
            (&["-wal", ""], &[], false),
            (&["-wal"], &["-shm"], false),
            (&["-wal"], &[""], false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = |ending: &&str| beside(&folder.path().join("a.db"), ending);
            ["", LOG, LOG_INDEX].iter().for_each(|ending| fs::write(file(ending), "").unwrap());
            let place = Place::of_file(file(&""), FileIdentity::of(&file(&"")).unwrap());
            deleted.iter().for_each(|ending| fs::remove_file(file(ending)).unwrap());
            replaced.iter().for_each(|ending| replace(&file(ending)));
            assert_eq!(place.lacks_only_its_log(), expected, "deleted {deleted:?}, replaced {replaced:?}");
        }
        assert!(!Place::Server("postgres://localhost".into()).lacks_only_its_log());
    }
}
