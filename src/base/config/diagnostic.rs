//! What is wrong with a configuration, and where.

use std::{fmt, path::PathBuf};

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Location {
    /// Nowhere: the built-in default holds.
    Default,
    /// A file as a whole.
    File(PathBuf),
    /// A line and column (in characters) of a file, both from 1.
    Line(PathBuf, usize, usize),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Line(path, line, column) => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong. Never holds the value of a secret or of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// Where it was given.
    pub(crate) location: Location,
    /// Which setting, `section.key`; empty when it is about the file as a whole.
    pub(crate) key: String,
    /// What is wrong, and what to do.
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

/// Everything that is wrong with a configuration; a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Never empty, in the order of the file, the environment last.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl std::error::Error for ConfigError {}

impl From<Diagnostic> for ConfigError {
    fn from(problem: Diagnostic) -> Self {
        Self { diagnostics: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.diagnostics.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// What the sections have to say about their values.
#[derive(Debug, Default)]
pub(super) struct Report(pub(super) Vec<Finding>);

/// A value that does not do.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key: &'static str,
    /// The setting that makes `key` needed, for when `key` itself was not given.
    pub(super) because: Option<&'static str>,
    pub(super) message: String,
}

impl Report {
    /// Notes what is wrong with `key`.
    pub(super) fn error(&mut self, key: &'static str, message: impl Into<String>) {
        self.0.push(Finding { key, because: None, message: message.into() });
    }

    /// Notes what is wrong with `key` in view of `because`.
    pub(super) fn error_because_of(
        &mut self,
        key: &'static str,
        because: &'static str,
        message: impl Into<String>,
    ) {
        self.0.push(Finding { key, because: Some(because), message: message.into() });
    }

    /// Notes the error, if there is one.
    pub(super) fn check(&mut self, key: &'static str, checked: Result<(), impl Into<String>>) {
        if let Err(message) = checked {
            self.error(key, message);
        }
    }
}
