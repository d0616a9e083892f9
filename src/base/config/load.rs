//! Puts the layers together: built-in defaults, then a file, then the environment.

use super::{
    Config, DEFAULTS,
    diagnostic::{ConfigError, Diagnostic, Location, Report},
    environment::EnvironmentLayer,
    file::FileLayer,
    schema::{self, BUILT_IN, Kind, SECRETS},
};
use config::FileFormat;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// Where the configuration is when nobody says.
const DEFAULT_PATH: &str = "/etc/reconnectd/reconnectd.toml";

/// What is shown instead of a secret.
const MASKED: &str = "***";

/// A valid configuration, and what it was made of.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The file that was read; `None` when there was none.
    pub(crate) file: Option<PathBuf>,
    effective: Table,
}

impl Loaded {
    /// The effective configuration as TOML: every setting, secrets as `"***"` (those not set as `""`).
    /// Durations and the like stay as they were written. With the secrets given again it can be loaded.
    pub(crate) fn to_toml(&self) -> String {
        self.effective.to_string()
    }

    /// The same as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.effective)
    }
}

impl Config {
    /// The file to read: the one that was named (by `--config` or `$RECONNECTD_CONFIG`), else the usual one
    /// if it is there, else none.
    pub(crate) fn find(named: Option<PathBuf>) -> Option<PathBuf> {
        // A file that cannot even be looked for is worth an error, which reading it will give.
        named.or_else(|| Path::new(DEFAULT_PATH).try_exists().unwrap_or(true).then(|| DEFAULT_PATH.into()))
    }

    /// Loads and validates: defaults, under `file`, under those of the `variables` that are ours.
    ///
    /// # Errors
    /// With everything that is wrong, each with its location and remedy.
    pub fn load<K, V>(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Loaded, ConfigError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let mut layers = Layers {
            file: file.map(FileLayer::read).transpose()?.unwrap_or_default(),
            environment: EnvironmentLayer::read(variables)?,
            diagnostics: Vec::new(),
        };
        layers.diagnostics.append(&mut layers.file.diagnostics);
        layers.diagnostics.append(&mut layers.environment.diagnostics);

        let mut merged = layers.merge()?;
        let effective = masked(&merged);
        layers.read_secret_files(&mut merged);
        let config = layers.deserialize(merged);
        if let Some(config) = &config {
            let mut report = Report::default();
            config.validate(&mut report);
            layers.add_findings(report);
        }
        match config {
            Some(config) if layers.diagnostics.is_empty() => {
                Ok(Loaded { config, file: file.map(Path::to_owned), effective })
            }
            _ => {
                layers.diagnostics.sort_by(|a, b| a.location.cmp(&b.location));
                Err(ConfigError { diagnostics: layers.diagnostics })
            }
        }
    }
}

struct Layers {
    file: FileLayer,
    environment: EnvironmentLayer,
    diagnostics: Vec<Diagnostic>,
}

impl Layers {
    fn merge(&self) -> Result<Table, Diagnostic> {
        self.combine().map_err(|error| Diagnostic {
            location: Location::Default,
            key: String::new(),
            message: format!("the settings cannot be combined: {}", crate::domain::mask(&error.to_string())),
        })
    }

    fn combine(&self) -> Result<Table, Box<dyn std::error::Error>> {
        let mut builder =
            config::Config::builder().add_source(config::File::from_str(DEFAULTS, FileFormat::Toml));
        for (key, value) in &self.file.values {
            builder = builder.set_override(key, value.clone().try_into::<config::Value>()?)?;
        }
        for (key, value) in &self.environment.values {
            builder = builder.set_override(key, value.clone())?;
        }
        Ok(builder.build()?.try_deserialize()?)
    }

    /// Puts the content of each `<secret>_file` in the secret's place.
    fn read_secret_files(&mut self, merged: &mut Table) {
        for secret in SECRETS {
            let file_key = format!("{secret}_file");
            let path = remove(merged, &file_key).and_then(|value| value.as_str().map(PathBuf::from));
            let given = schema::get(merged, secret).and_then(Value::as_str).unwrap_or_default().to_owned();
            if given == MASKED {
                self.error(
                    secret,
                    format!("is what `config print` shows for a secret; give it, or {file_key}"),
                );
            }
            let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { continue };
            if !given.is_empty() {
                let other = self.location(secret);
                self.error(
                    &file_key,
                    format!("is given, and so is {secret} ({other}); leave one of them out"),
                );
                continue;
            }
            match std::fs::read_to_string(&path) {
                Ok(text) => match text.trim_end_matches(['\r', '\n']) {
                    "" => {
                        self.error(&file_key, format!("{} is empty; put the secret into it", path.display()))
                    }
                    content => schema::put(merged, secret, Value::String(content.to_owned())),
                },
                Err(error) => {
                    let path = path.display();
                    self.error(
                        &file_key,
                        format!("cannot read {path}: {error}; name a file that this user can read"),
                    );
                }
            }
        }
    }

    /// Reads the sections. A value that is refused is noted and its default put in its place, to find the
    /// next one.
    fn deserialize(&mut self, mut merged: Table) -> Option<Config> {
        loop {
            let error = match serde_path_to_error::deserialize(Value::Table(merged.clone())) {
                Ok(config) => return Some(config),
                Err(error) => error,
            };
            let path = error.path().to_string();
            let key = path.split('[').next().unwrap_or_default().to_owned();
            let default = schema::get(&BUILT_IN, &key).cloned();
            let known = default.is_some() && default.as_ref() != schema::get(&merged, &key);
            let message = match (Kind::of_key(&key), schema::get(&merged, &key).and_then(Value::as_integer)) {
                // Serde would name the Rust type that the number does not fit.
                (Some(Kind::Integer), Some(..0)) => "is negative; write 0 or more".to_owned(),
                (Some(Kind::Integer), _) => "is too large; write a smaller number".to_owned(),
                _ => error.inner().message().trim().to_owned(),
            };
            self.error(&key, message);
            match default {
                Some(default) if known => schema::put(&mut merged, &key, default),
                _ => return None,
            }
        }
    }

    fn add_findings(&mut self, report: Report) {
        for finding in report.0 {
            // A value that was refused or could not be read is its default now: nothing more can be said of
            // it.
            let said = |problem: &Diagnostic| {
                problem.key == finding.key || problem.key.strip_suffix("_file") == Some(finding.key)
            };
            if self.diagnostics.iter().any(said) {
                continue;
            }
            let location = match (self.location(finding.key), finding.because) {
                (Location::Default, Some(because)) => self.location(because),
                (location, _) => location,
            };
            self.diagnostics.push(Diagnostic {
                location,
                key: finding.key.to_owned(),
                message: finding.message,
            });
        }
    }

    fn error(&mut self, key: &str, message: String) {
        let location = self.location(key);
        self.diagnostics.push(Diagnostic { location, key: key.to_owned(), message });
    }

    /// Where the value of `key` comes from.
    fn location(&self, key: &str) -> Location {
        let locations = [&self.environment.locations, &self.file.locations];
        let given = |key: &str| locations.iter().find_map(|locations| locations.get(key)).cloned();
        given(key).or_else(|| given(&format!("{key}_file"))).unwrap_or(Location::Default)
    }
}

fn remove(table: &mut Table, key: &str) -> Option<Value> {
    match key.split_once('.') {
        None => table.remove(key),
        Some((section, rest)) => remove(table.get_mut(section)?.as_table_mut()?, rest),
    }
}

/// The settings in the order of the default file, without the secrets.
fn masked(merged: &Table) -> Table {
    let mut shown = BUILT_IN.clone();
    overlay(&mut shown, merged);
    for secret in SECRETS {
        if schema::get(&shown, secret).is_some_and(|value| value.as_str() != Some("")) {
            schema::put(&mut shown, secret, Value::String(MASKED.to_owned()));
        }
    }
    shown
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
