//! Notices when another file takes the place of the database, or none does: what is written to the open file is lost.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// The file at a path: its device and inode. Other systems than Unix keep open files in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity(#[cfg(unix)] u64, #[cfg(unix)] u64);

impl FileIdentity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&std::fs::metadata(path)?))
    }

    /// Whether `path` leads to another file or to none. An error that proves neither counts as no.
    pub(super) fn is_gone_from(self, path: &Path) -> bool {
        match Self::of(path) {
            Ok(found) => found != self,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }
}

impl From<&Metadata> for FileIdentity {
    fn from(file: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self(file.dev(), file.ino())
        }
        #[cfg(not(unix))]
        {
            let _ = file;
            Self()
        }
    }
}
