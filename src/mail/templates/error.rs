//! Faults in templates, for the operator.

use super::locate::place;
use std::path::PathBuf;

/// A fault in the templates. Contains no value of an email.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("cannot read {}: {problem}", path.display())]
    Read { path: PathBuf, problem: String },
    /// A language of the operator's own without some files: emails would mix languages.
    #[error(
        "{}: {} missing; a language of your own needs every file that emails are made of",
        folder.display(),
        files.join(", ")
    )]
    Missing { folder: PathBuf, files: Vec<String> },
    #[error("{} and {} are the same language; put the files of both into one folder", one.display(), other.display())]
    SameLanguage { one: PathBuf, other: PathBuf },
    /// Files that no email uses, each with its problem: their names are probably misspelled.
    #[error("{}", .0.join("; "))]
    Unused(Vec<String>),
    /// A template that does not parse, uses an undefined variable, fails, or produces an unusable email.
    #[error("{}: {problem}", place(file, *line))]
    Faulty {
        /// The operator's file, or the built-in one.
        file: String,
        /// Counted from 1; 0 when unknown.
        line: usize,
        problem: String,
    },
}
