//! Tells which settings of two configurations differ. It holds no values: some are secrets.

use aws_lc_rs::digest::{SHA256, digest};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use toml::{Table, Value};

type Digest = [u8; 32];

/// A digest of each setting, by its key. The content of a file that a setting names is part of it.
#[derive(Clone, Default)]
pub(crate) struct Fingerprint(BTreeMap<String, Digest>);

impl Fingerprint {
    /// Of all settings, each secret in the place of the file that contained it.
    pub(super) fn of(settings: &Table) -> Self {
        let mut digests = BTreeMap::new();
        each_setting("", settings, &mut |key, value| {
            let mut text = value.to_string().into_bytes();
            if let Some(path) = named_file(&key, value) {
                text.extend(std::fs::read(path).unwrap_or_default());
            }
            digests.insert(key, sha256(&text));
        });
        Self(digests)
    }

    pub(crate) fn changes_to(&self, later: &Self) -> Changes {
        let keys = self.0.keys().chain(later.0.keys());
        Changes(keys.filter(|key| self.0.get(*key) != later.0.get(*key)).cloned().collect())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// The keys of the settings that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(BTreeSet<String>);

impl Changes {
    /// Those of a section, or of one setting.
    pub(crate) fn within(&self, section: &str) -> impl Iterator<Item = &str> {
        let is_within = move |key: &&String| {
            key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.0.iter().filter(is_within).map(String::as_str)
    }

    pub(crate) fn touch(&self, section: &str) -> bool {
        self.within(section).next().is_some()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, key) in self.0.iter().enumerate() {
            f.write_str(if number > 0 { ", " } else { "" })?;
            f.write_str(key)?;
        }
        Ok(())
    }
}

/// Calls `visit` with the key and the value of each setting.
pub(super) fn each_setting(section: &str, table: &Table, visit: &mut impl FnMut(String, &Value)) {
    for (name, value) in table {
        let key = super::schema::join(section, name);
        match value {
            Value::Table(below) => each_setting(&key, below, visit),
            value => visit(key, value),
        }
    }
}

/// The path of the file that a setting such as `password_file` names.
pub(super) fn named_file<'v>(key: &str, value: &'v Value) -> Option<&'v str> {
    value.as_str().filter(|path| key.ends_with("_file") && !path.is_empty())
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut sum = Digest::default();
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}
