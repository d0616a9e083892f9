//! `notices preview`: its arguments.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `notices preview`
#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// Which kind, such as expired [default: all]
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// In which language [default: notices.locale for one kind, every language for all]
    #[arg(long, value_name = "LOCALE")]
    pub(crate) locale: Option<String>,
    /// Which part [default: text on a terminal, all into a folder]
    #[arg(long, value_enum)]
    pub(crate) part: Option<Part>,
    /// Write into this file, or for several mails into this folder
    #[arg(long, value_name = "FILE_OR_DIR")]
    pub(crate) output: Option<PathBuf>,
    /// How many connections a mail is about that can be about several
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) count: Option<usize>,
}

/// A part of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Subject and plain text
    Text,
    /// The HTML
    Html,
    /// The whole mail as it goes over the wire
    Eml,
}

impl Part {
    /// What its file's name ends with.
    pub(in crate::cli) fn end(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Html => "html",
            Self::Eml => "eml",
        }
    }
}

fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=100).contains(count))
        .ok_or_else(|| "is not from 1 to 100".to_owned())
}
