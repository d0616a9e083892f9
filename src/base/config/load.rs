//! Loads a configuration.

use super::{
    diagnostic::ConfigError, environment::EnvironmentLayer, file::FileLayer, fingerprint::Fingerprint,
    layers::Layers, secrets, settings::Config,
};
use crate::base::private_files::is_exposed;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use toml::Table;

const DEFAULT_PATH: &str = "/etc/reconnectd/reconnectd.toml";

/// A valid configuration, and its sources.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// Variables without effect that are probably meant for the daemon.
    pub(crate) warnings: Vec<String>,
    /// Whether the file holds a secret, and others than its owner and group can read it, or others than its owner write it.
    pub(crate) exposes_secret: bool,
    pub(crate) fingerprint: Fingerprint,
    masked: Table,
}

impl Loaded {
    /// The effective configuration, with `"***"` for each secret that is set. Values are as the operator wrote them. It
    /// can be loaded again once the secrets are given.
    pub(crate) fn to_toml(&self) -> String {
        self.masked.to_string()
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.masked)
    }
}

impl Config {
    /// The file to read: `named` (`--config` or `$RECONNECTD_CONFIG`), else the default path if it exists.
    pub(crate) fn find(named: Option<PathBuf>) -> Option<PathBuf> {
        // An empty variable names no file. If the check itself fails, reading the file reports why.
        named
            .filter(|named| !named.as_os_str().is_empty())
            .or_else(|| Path::new(DEFAULT_PATH).try_exists().unwrap_or(true).then(|| DEFAULT_PATH.into()))
    }

    /// # Errors
    /// All errors of the file and of the variables.
    pub fn load<K, V>(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Loaded, ConfigError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let file_layer = file.map(FileLayer::read).transpose()?.unwrap_or_default();
        let holds_secret = secrets::any(&file_layer.values);
        let mut environment = EnvironmentLayer::read(variables)?;
        let warnings = std::mem::take(&mut environment.warnings);
        let mut layers = Layers::new(file_layer, environment);

        let mut settings = layers.merge()?;
        let masked = secrets::mask(&settings);
        layers.read_secret_files(&mut settings);
        let fingerprint = Fingerprint::of(&settings);
        match layers.deserialize(settings) {
            Some(config) if layers.diagnostics.is_empty() => {
                let exposes_secret = holds_secret
                    && file.and_then(|file| file.metadata().ok()).is_some_and(|file| is_exposed(&file));
                let file = file.map(Path::to_owned);
                Ok(Loaded { config, file, warnings, exposes_secret, fingerprint, masked })
            }
            _ => {
                layers.diagnostics.sort_by(|a, b| a.location.cmp(&b.location));
                Err(ConfigError { diagnostics: layers.diagnostics })
            }
        }
    }
}
