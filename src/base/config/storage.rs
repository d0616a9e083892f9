//! `[database]` and `[keys]`: what is kept on disk.

use super::diagnostic::Report;
use serde::Deserialize;
use std::path::PathBuf;

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// `sqlite://PATH`.
    pub(crate) url: String,
}

impl Database {
    pub(super) fn validate(&self, report: &mut Report) {
        if self.url.strip_prefix("sqlite://").is_none_or(str::is_empty) {
            report.error("database.url", "names no SQLite database; write \"sqlite://PATH\"");
        }
    }
}

/// `[keys]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// The key ring.
    pub(crate) file: PathBuf,
}

impl Keys {
    pub(super) fn validate(&self, report: &mut Report) {
        if self.file.as_os_str().is_empty() {
            report.error("keys.file", "is empty; write the path of the key ring");
        }
    }
}
