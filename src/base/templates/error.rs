//! Faults in templates, for the operator.

use super::locate::place;
use std::path::PathBuf;

/// A fault in the templates. Contains no value that a template was rendered with.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("cannot read {}: {problem}", path.display())]
    Read { path: PathBuf, problem: String },
    /// A language of the operator's own without some files: a member would read two languages at once.
    #[error(
        "{}: {} missing; a language of your own needs every file that {product}s are made of",
        folder.display(),
        files.join(", ")
    )]
    Missing {
        folder: PathBuf,
        files: Vec<String>,
        /// `email` or `page`.
        product: &'static str,
    },
    #[error("{} and {} are the same language; put the files of both into one folder", one.display(), other.display())]
    SameLanguage { one: PathBuf, other: PathBuf },
    /// Files that nothing uses, each with its problem: their names are probably misspelled.
    #[error("{}", .0.join("; "))]
    Unused(Vec<String>),
    /// A template that does not parse, uses an undefined variable, fails, or produces an unusable result.
    #[error("{}: {problem}", place(file, *line))]
    Faulty {
        /// The operator's file, or the built-in one.
        file: String,
        /// Counted from 1; 0 when unknown.
        line: usize,
        problem: String,
    },
}
