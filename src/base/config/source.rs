//! Where a configuration comes from, so that it can be loaded again.

use super::diagnostic::ConfigError;
use super::environment::EnvironmentLayer;
use super::file::FileLayer;
use super::fingerprint::{each_setting, named_file};
use super::layers::Layers;
use super::load::Loaded;
use super::settings::Config;
use aws_lc_rs::digest::{Context, Digest, SHA256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file and variables. Cheap to clone.
#[derive(Clone)]
pub struct ConfigSource {
    named: Option<PathBuf>,
    variables: Arc<[(OsString, OsString)]>,
}

/// The content of the file and of the files that settings such as `password_file` name, as of one look.
#[derive(Clone, Copy)]
pub(crate) struct Content(Digest);

impl ConfigSource {
    /// `named`: by `--config` or `$RECONNECTD_CONFIG`.
    pub fn new(named: Option<PathBuf>, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self { named, variables: variables.into_iter().collect() }
    }

    /// # Errors
    /// All errors of the file and of the variables.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        Config::load(self.file().as_deref(), self.variables.iter().cloned())
    }

    /// A file that cannot be read is part of the content, too.
    pub(crate) fn look(&self) -> Content {
        let mut digest = Context::new(&SHA256);
        let file = self.file();
        if let Some(file) = &file {
            add(&mut digest, file);
        }
        for path in self.named_files(file.as_deref()) {
            add(&mut digest, &path);
        }
        Content(digest.finish())
    }

    fn file(&self) -> Option<PathBuf> {
        Config::find(self.named.clone())
    }

    /// Those that an invalid file names may be missing. The merged settings have no order of their own.
    fn named_files(&self, file: Option<&Path>) -> BTreeSet<PathBuf> {
        let mut paths = BTreeSet::new();
        let Ok(file) = file.map(FileLayer::read).transpose() else { return paths };
        let Ok(environment) = EnvironmentLayer::read(self.variables.iter().cloned()) else { return paths };
        if let Ok(settings) = Layers::new(file.unwrap_or_default(), environment).merge() {
            each_setting("", &settings, &mut |key, value| {
                paths.extend(named_file(&key, value).map(PathBuf::from));
            });
        }
        paths
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSource").field("named", &self.named).finish_non_exhaustive()
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref() == other.0.as_ref()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content")
    }
}

/// Each length comes first, so that no two sets of files have the same bytes.
fn add(digest: &mut Context, path: &Path) {
    let content = std::fs::read(path).map_err(|error| format!("{:?}", error.kind()));
    let (mark, bytes) = match &content {
        Ok(bytes) => (b"read", bytes.as_slice()),
        Err(kind) => (b"fail", kind.as_bytes()),
    };
    let path = path.as_os_str().as_encoded_bytes();
    for part in [mark.as_slice(), path, bytes] {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
}
