//! Merges the layers (defaults, file, environment), and remembers where each setting was given.

use super::{
    diagnostic::{Diagnostic, Findings, Location},
    environment::EnvironmentLayer,
    file::FileLayer,
    schema::{self, BUILT_IN, DEFAULTS},
    secrets,
    settings::Config,
};
use config::FileFormat;
use toml::{Table, Value};

pub(super) struct Layers {
    file: FileLayer,
    environment: EnvironmentLayer,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Layers {
    pub(super) fn new(mut file: FileLayer, mut environment: EnvironmentLayer) -> Self {
        let mut diagnostics = std::mem::take(&mut file.diagnostics);
        diagnostics.append(&mut environment.diagnostics);
        Self { file, environment, diagnostics }
    }

    pub(super) fn merge(&self) -> Result<Table, Diagnostic> {
        self.build().map_err(|error| Diagnostic {
            location: Location::Default,
            key: String::new(),
            message: format!("cannot merge the settings: {}", crate::domain::mask(&error.to_string())),
        })
    }

    fn build(&self) -> Result<Table, Box<dyn std::error::Error>> {
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

    pub(super) fn read_secret_files(&mut self, settings: &mut Table) {
        let errors = secrets::read_files(settings, |key| self.location(key).to_string());
        for error in errors {
            self.error(&error.key, error.message);
        }
    }

    /// Reads the sections and checks the rules between them. Records each invalid value and replaces it with its
    /// default, so that one run finds all errors.
    pub(super) fn deserialize(&mut self, mut settings: Table) -> Option<Config> {
        loop {
            let error = match serde_path_to_error::deserialize::<_, Config>(Value::Table(settings.clone())) {
                Ok(config) => {
                    let mut findings = Findings::default();
                    config.validate(&mut findings);
                    self.add_findings(findings);
                    return Some(config);
                }
                Err(error) => error,
            };
            let path = error.path().to_string();
            let key = path.split('[').next().unwrap_or_default().to_owned();
            // Such as `[1].scope: `, in a list of tables.
            let item =
                path.strip_prefix(&key).filter(|item| item.contains('.')).map(|item| format!("{item}: "));
            self.error(&key, format!("{}{}", item.unwrap_or_default(), error.inner().message().trim()));
            match schema::get(&BUILT_IN, &key) {
                Some(default) if Some(default) != schema::get(&settings, &key) => {
                    schema::put(&mut settings, &key, default.clone());
                }
                _ => return None,
            }
        }
    }

    fn add_findings(&mut self, findings: Findings) {
        for finding in findings.0 {
            // An invalid or unreadable value was replaced with its default, which says nothing about the setting.
            let is_known = |diagnostic: &Diagnostic| {
                diagnostic.key == finding.key || diagnostic.key.strip_suffix("_file") == Some(finding.key)
            };
            if self.diagnostics.iter().any(is_known) {
                continue;
            }
            let location = match (self.location(finding.key), finding.because_of) {
                (Location::Default, Some(because_of)) => self.location(because_of),
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

    /// Where the effective value of `key`, or the file that contains it, was given.
    fn location(&self, key: &str) -> Location {
        let layers = [&self.environment.locations, &self.file.locations];
        let given = |key: &str| layers.iter().find_map(|locations| locations.get(key)).cloned();
        given(key).or_else(|| given(&format!("{key}_file"))).unwrap_or(Location::Default)
    }
}
