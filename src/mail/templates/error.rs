//! What is wrong with templates, in words for the operator.

use std::path::PathBuf;

/// What is wrong with the templates. Holds no value of any mail.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The directory or a file in it cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why it could not be, and what to do.
        problem: String,
    },
    /// A language of the operator's that lacks files, which would mix languages within a mail.
    #[error("{}: lacks {}; a language of your own needs every file of the built-in \"en\"", folder.display(), files.join(", "))]
    Missing {
        /// The language's folder.
        folder: PathBuf,
        /// The files to write.
        files: Vec<String>,
    },
    /// Two folders for one language.
    #[error("{} and {} are the same language; put the files of both into one of them", one.display(), other.display())]
    SameLanguage {
        /// One of them.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Files that no mail is made of, as their names are not quite right: each with what is wrong with it.
    #[error("{}", .0.join("; "))]
    Unused(Vec<String>),
    /// A template that does not parse, names what does not exist, fails, or writes no usable mail.
    #[error("{}: {problem}", place(file, *line))]
    Faulty {
        /// The operator's file, or the built-in one.
        file: String,
        /// Counted from 1; 0 when unknown.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// `file:line`, or `file` when the line is not known.
pub(in crate::mail) fn place(file: &str, line: usize) -> String {
    if line > 0 { format!("{file}:{line}") } else { file.to_owned() }
}
