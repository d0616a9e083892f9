//! Secrets: read from files, masked in what is printed.

use super::database_url;
use super::schema::{self, BUILT_IN, SECRETS};
use crate::base::private_files;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const MASK: &str = "***";
/// A secret only if it has a password.
const DATABASE: &str = "database.url";
const MASKED_PASSWORD: &str = ":***@";

/// Whether one of the values is a secret.
pub(super) fn any(values: &BTreeMap<String, Value>) -> bool {
    SECRETS
        .iter()
        .filter_map(|secret| Some((secret, values.get(*secret)?.as_str()?)))
        .any(|(secret, text)| shown(secret, text) != text)
}

/// An error about `key`.
pub(super) struct SecretError {
    pub(super) key: String,
    pub(super) message: String,
}

/// Replaces each `<secret>_file` with the secret that the file contains. `location` tells where a setting was given.
pub(super) fn read_files(settings: &mut Table, location: impl Fn(&str) -> String) -> Vec<SecretError> {
    let mut errors = Vec::new();
    for secret in SECRETS {
        let file_key = format!("{secret}_file");
        let path = schema::remove(settings, &file_key).and_then(|value| value.as_str().map(PathBuf::from));
        let path = path.filter(|path| !path.as_os_str().is_empty());
        let value = schema::get(settings, secret).and_then(Value::as_str).unwrap_or_default().to_owned();
        if value == MASK || (secret == DATABASE && value.contains(MASKED_PASSWORD)) {
            let message =
                format!("is the mask that `config print` shows; write the secret, or set {file_key}");
            errors.push(SecretError { key: secret.to_owned(), message });
        }
        let Some(path) = path else { continue };
        let is_default = schema::get(&BUILT_IN, secret).and_then(Value::as_str) == Some(value.as_str());
        let content = if is_default {
            read(&path)
        } else {
            Err(format!("{secret} is set, too ({}); remove one of them", location(secret)))
        };
        match content {
            Ok(content) => schema::put(settings, secret, Value::String(content)),
            Err(message) => errors.push(SecretError { key: file_key, message }),
        }
    }
    errors
}

/// Without a byte order mark at the beginning and line breaks at the end.
fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let cannot_read =
        |error: io::Error| format!("cannot read {shown}: {error}; name a file that this user can read");
    let mut file = File::open(path).map_err(cannot_read)?;
    if private_files::is_exposed(&file.metadata().map_err(cannot_read)?) {
        return Err(format!("others can read or write {shown}; run `chmod 600` on it"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(cannot_read)?;
    match text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{shown} is empty; write the secret into it")),
        // A key in PEM has several.
        content if content.contains(['\r', '\n']) && !content.trim_start().starts_with("-----BEGIN ") => {
            Err(format!("{shown} has several lines; write the secret into one line"))
        }
        content => Ok(content.to_owned()),
    }
}

/// The settings in the order of the default file, with each secret replaced by a mask.
pub(super) fn mask(settings: &Table) -> Table {
    let mut masked = BUILT_IN.clone();
    overlay(&mut masked, settings);
    for secret in SECRETS {
        let shown = match schema::get(&masked, secret) {
            Some(Value::String(text)) => shown(secret, text),
            Some(_) => MASK.to_owned(),
            None => continue,
        };
        schema::put(&mut masked, secret, Value::String(shown));
    }
    masked
}

/// The value of a secret as it is printed.
fn shown(secret: &str, text: &str) -> String {
    match secret {
        _ if text.is_empty() => String::new(),
        DATABASE => database_url::masked(text, MASK),
        _ => MASK.to_owned(),
    }
}

fn overlay(below: &mut Table, above: &Table) {
    for (name, value) in above {
        match (below.get_mut(name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (Some(Value::Float(_)), Value::Integer(whole)) => {
                below.insert(name.clone(), Value::Float(*whole as f64));
            }
            _ => drop(below.insert(name.clone(), value.clone())),
        }
    }
}
