//! Errors in a configuration, each with its location.

use super::excerpt::Excerpt;
use std::{fmt, path::PathBuf};

/// Where a setting was given. The order is the order of the findings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Location {
    Default,
    File(PathBuf),
    /// A line and column (in characters), both from 1, and what can be shown of the line.
    Line(PathBuf, usize, usize, Option<Box<Excerpt>>),
    Variable(String),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Line(path, line, column, _) => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One error. Never contains a secret or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) location: Location,
    /// `section.key`; empty when the file as a whole cannot be used.
    pub(crate) key: String,
    /// The error, and how to correct it.
    pub(crate) message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, key, message } = self;
        if key.is_empty() {
            write!(f, "{location}: {message}")
        } else {
            write!(f, "{location}: {key}: {message}")
        }
    }
}

/// All errors of a configuration, one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one, in the order of the file, the environment last.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// The errors, each followed by the line that it is about, without its value.
    pub(crate) fn with_excerpts(&self) -> String {
        let shown = |diagnostic: &Diagnostic| match &diagnostic.location {
            Location::Line(.., Some(excerpt)) => format!("{diagnostic}\n{excerpt}"),
            _ => diagnostic.to_string(),
        };
        self.diagnostics.iter().map(shown).collect::<Vec<_>>().join("\n")
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, diagnostic) in self.diagnostics.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

/// Collects the errors of rules about more than one setting.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key: &'static str,
    /// The setting that the rule depends on. Its location is reported when `key` itself was not given.
    pub(super) because_of: Option<&'static str>,
    pub(super) message: String,
}

impl Findings {
    pub(super) fn error(&mut self, key: &'static str, message: impl Into<String>) {
        self.0.push(Finding { key, because_of: None, message: message.into() });
    }

    pub(super) fn error_because_of(
        &mut self,
        key: &'static str,
        because_of: &'static str,
        message: impl Into<String>,
    ) {
        self.0.push(Finding { key, because_of: Some(because_of), message: message.into() });
    }

    pub(super) fn check(&mut self, key: &'static str, result: Result<(), impl Into<String>>) {
        if let Err(message) = result {
            self.error(key, message);
        }
    }
}
