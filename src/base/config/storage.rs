//! `[database]` and `[keys]`.

use super::values;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    #[serde(deserialize_with = "values::parsed")]
    pub(crate) url: DatabaseUrl,
}

/// `sqlite://PATH`. A relative path starts at the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl(PathBuf);

impl DatabaseUrl {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("sqlite://") {
            None | Some("") => {
                Err("must be \"sqlite://PATH\", such as \"sqlite:///var/lib/reconnectd/reconnectd.db\"")
            }
            Some(":memory:") => Err(
                "loses everything when the process ends; name a file, such as \"sqlite:///var/lib/reconnectd/reconnectd.db\"",
            ),
            Some(path) if path.contains('?') => {
                Err("takes no parameters; remove the part from the question mark on")
            }
            Some(path) => Ok(Self(path.into())),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// The key ring.
    #[serde(deserialize_with = "values::path")]
    pub(crate) file: PathBuf,
}
