//! Where the database is.

use super::file_identity::FileIdentity;
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub(super) enum Place {
    File {
        path: PathBuf,
        identity: FileIdentity,
    },
    /// Of PostgreSQL: the URL without the password.
    Server(String),
}

impl Place {
    /// Whether another file, or none, is where the database was. Never so on a server.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::File { path, identity } => identity.is_gone_from(path),
            Self::Server(_) => false,
        }
    }

    /// `None` on a server.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Server(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Server(url) => f.write_str(url),
        }
    }
}
