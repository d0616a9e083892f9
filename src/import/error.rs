//! Errors of an import file, each with its line.

use std::fmt;

/// Never contains a value of the file: it can be an address or a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ImportError {
    /// From 1; 0 for the file as a whole.
    pub(crate) line: u64,
    pub(crate) field: Option<&'static str>,
    pub(crate) message: String,
}

impl ImportError {
    pub(super) fn at(line: u64, message: impl Into<String>) -> Self {
        Self { line, field: None, message: message.into() }
    }

    pub(crate) fn missing_address(line: u64) -> Self {
        let message = "missing; the member is not enrolled yet".to_owned();
        Self { line, field: Some("email"), message }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// An error in a row, whose line the reader adds.
#[derive(Debug)]
pub(crate) struct RowError {
    pub(crate) field: Option<&'static str>,
    pub(crate) message: String,
}

impl RowError {
    pub(super) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field), message: message.into() }
    }

    pub(crate) fn at(self, line: u64) -> ImportError {
        ImportError { line, field: self.field, message: self.message }
    }
}

impl From<String> for RowError {
    fn from(message: String) -> Self {
        Self { field: None, message }
    }
}
