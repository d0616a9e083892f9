//! Reads settings from environment variables.

use super::{
    diagnostic::{Diagnostic, Location},
    schema::{self, ValueType},
};
use config::{Environment, Source};
use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
};

#[derive(Debug, Default)]
pub(super) struct EnvironmentLayer {
    /// The known settings of the right type.
    pub(super) values: BTreeMap<String, config::Value>,
    /// The locations of all settings, including the rejected ones.
    pub(super) locations: BTreeMap<String, Location>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// About variables without effect that are probably meant for the daemon.
    pub(super) warnings: Vec<String>,
}

impl EnvironmentLayer {
    /// Reads the variables `RECONNECTD__SECTION__KEY`. A single underscore is not enough: Kubernetes sets
    /// `RECONNECTD_PORT` for a service named reconnectd.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Diagnostic> {
        let mut layer = Self::default();
        let mut source = HashMap::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            let intended = intended_name(&name);
            layer.warnings.extend(intended.map(|intended| format!("{name} has no effect; write {intended}")));
            match value.into_string() {
                Ok(value) => drop(source.insert(name, value)),
                Err(_) if key_of(&name).is_some() => layer.error(&name, "must be UTF-8 text".to_owned()),
                Err(_) => {}
            }
        }
        let names: BTreeMap<_, _> =
            source.keys().filter_map(|name| Some((key_of(name)?, name.clone()))).collect();
        // No parsing here, because it would read a password of digits as a number.
        let environment = Environment::with_prefix("RECONNECTD")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(false)
            .source(Some(source));
        let collected = environment.collect().map_err(|_| Diagnostic {
            location: Location::Default,
            key: String::new(),
            message: "cannot read the environment".to_owned(),
        })?;
        for (key, value) in collected {
            let name = names.get(&key).map_or(key.as_str(), String::as_str);
            let text = value.into_string().map_err(|_| "must be text".to_owned());
            match text.and_then(|text| typed(&key, &text)) {
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

/// The setting that a variable names; `None` without our prefix.
fn key_of(name: &str) -> Option<String> {
    Some(name.to_lowercase().strip_prefix("reconnectd__")?.replace("__", "."))
}

/// The name of the setting's variable, for a name whose underscores are not doubled where they should be.
fn intended_name(name: &str) -> Option<String> {
    let rest = name.to_lowercase().strip_prefix("reconnectd_")?.replace("__", "_");
    let key = schema::keys().find(|key| key.replace('.', "_") == rest.trim_start_matches('_'))?;
    let intended = format!("RECONNECTD__{}", key.to_uppercase().replace('.', "__"));
    (key_of(name).as_deref() != Some(key)).then_some(intended)
}

/// Converts the text to the type of `key`. The error does not repeat the text, which can be a secret.
fn typed(key: &str, text: &str) -> Result<config::Value, String> {
    let value_type = ValueType::of_key(key).ok_or_else(|| schema::unknown(key))?;
    let trimmed = text.trim();
    let value = match value_type {
        ValueType::Section => None,
        ValueType::Text => Some(text.into()),
        ValueType::Integer => trimmed.parse::<i64>().ok().map(Into::into),
        ValueType::Number => trimmed.parse::<f64>().ok().map(Into::into),
        ValueType::Boolean => trimmed.parse::<bool>().ok().map(Into::into),
        // As in a file. The error does not repeat the text.
        ValueType::Tables => format!("items = {trimmed}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut table| table.remove("items"))
            .filter(|items| value_type.accepts(items))
            .and_then(|items| items.try_into().ok()),
        ValueType::List => {
            Some(trimmed.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().into())
        }
    };
    value.ok_or_else(|| match value_type {
        ValueType::Section => {
            format!("is a section; name one of its settings, such as …__{}__KEY", key.to_uppercase())
        }
        expected => format!("must be {expected}"),
    })
}
