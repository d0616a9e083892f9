//! Reads settings from environment variables.

use super::{
    diagnostic::{Diagnostic, Location},
    schema::{self, Kind},
};
use config::{Environment, Source};
use std::{collections::BTreeMap, ffi::OsString};

/// What the environment gives.
#[derive(Debug, Default)]
pub(super) struct EnvironmentLayer {
    /// The settings that are known and of the right kind.
    pub(super) values: BTreeMap<String, config::Value>,
    /// Their variables, the wrong ones' too.
    pub(super) locations: BTreeMap<String, Location>,
    /// What is wrong with the others.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl EnvironmentLayer {
    /// Takes the variables `RECONNECTD__SECTION__KEY`. Others are none of ours: Kubernetes sets
    /// `RECONNECTD_PORT` for a service of our name.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Diagnostic> {
        let mut layer = Self::default();
        let mut source = std::collections::HashMap::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(source.insert(name, value)),
                Err(_) if key_of(&name).is_some() => {
                    layer.error(&name, "is not UTF-8; write it as UTF-8".to_owned());
                }
                Err(_) => {}
            }
        }
        let names: BTreeMap<_, _> =
            source.keys().filter_map(|name| Some((key_of(name)?, name.clone()))).collect();
        // Everything stays text here: a password of digits is not a number.
        let environment = Environment::with_prefix("RECONNECTD")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(false)
            .source(Some(source));
        let collected = environment.collect().map_err(|_| Diagnostic {
            location: Location::Default,
            key: String::new(),
            message: "the environment cannot be read".to_owned(),
        })?;
        for (key, value) in collected {
            let name = names.get(&key).map_or(key.as_str(), String::as_str);
            let parsed = value.into_string().map_err(|_| "is not text".to_owned());
            match parsed.and_then(|text| typed(&key, &text)) {
                Ok(value) => {
                    layer.locations.insert(key.clone(), Location::Variable(name.to_owned()));
                    layer.values.insert(key, value);
                }
                Err(message) => layer.error(name, message),
            }
        }
        Ok(layer)
    }

    fn error(&mut self, name: &str, message: String) {
        let key = key_of(name).unwrap_or_default();
        let location = Location::Variable(name.to_owned());
        self.locations.insert(key.clone(), location.clone());
        self.diagnostics.push(Diagnostic { location, key, message });
    }
}

/// The setting that a variable names, if it is one of ours.
fn key_of(name: &str) -> Option<String> {
    Some(name.to_lowercase().strip_prefix("reconnectd__")?.replace("__", "."))
}

/// Text as the kind of value that `key` takes. The message does not repeat it.
fn typed(key: &str, text: &str) -> Result<config::Value, String> {
    let kind = Kind::of_key(key).ok_or_else(|| schema::unknown(key))?;
    let trimmed = text.trim();
    let value = match kind {
        Kind::Section => None,
        Kind::Text => Some(text.into()),
        Kind::Integer => trimmed.parse::<i64>().ok().map(Into::into),
        Kind::Number => trimmed.parse::<f64>().ok().map(Into::into),
        Kind::Boolean => trimmed.parse::<bool>().ok().map(Into::into),
        Kind::List => {
            Some(trimmed.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().into())
        }
    };
    value.ok_or_else(|| match kind {
        Kind::Section => {
            format!("is a section; name one of its settings, as in …__{}__KEY", key.to_uppercase())
        }
        other => format!("write {other}"),
    })
}
