use crate::import::ImportError;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct ImportErrorRow<'a> {
    /// Null for the file as a whole.
    pub(crate) line: Option<u64>,
    pub(crate) field: Option<&'static str>,
    pub(crate) reason: &'a str,
}

impl<'a> From<&'a ImportError> for ImportErrorRow<'a> {
    fn from(error: &'a ImportError) -> Self {
        let line = Some(error.line).filter(|line| *line > 0);
        Self { line, field: error.field, reason: &error.message }
    }
}
