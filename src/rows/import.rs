use crate::import::ImportError;
use crate::store::ImportCounts;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct ImportedRow<'a> {
    pub(crate) imported: u64,
    /// Refresh tokens that had been imported before, which changed nothing.
    pub(crate) known_tokens: u64,
    /// Values that were imported, but are probably wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<ImportErrorRow<'a>>,
}

impl<'a> ImportedRow<'a> {
    pub(crate) fn new(counts: ImportCounts, warnings: &'a [ImportError]) -> Self {
        Self {
            imported: counts.members,
            known_tokens: counts.known_tokens,
            warnings: warnings.iter().map(ImportErrorRow::from).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
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
