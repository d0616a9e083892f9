//! `notices preview`: its arguments.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// Kind of email, such as "expired" [default: all]
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Language [default: notices.locale for one kind, every language for all]
    #[arg(long, value_name = "LOCALE")]
    pub(crate) locale: Option<String>,
    /// Part of the email [default: the text on a terminal, every part in a folder]
    #[arg(long, value_enum)]
    pub(crate) part: Option<Part>,
    /// Write to this file, or several emails to this folder
    #[arg(long, value_name = "FILE_OR_DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Number of connections in the sample email, or of people who share the address
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) count: Option<usize>,
}

/// A part of an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Subject and plain text
    Text,
    /// HTML
    Html,
    /// The whole email as it is sent
    Eml,
}

impl Part {
    pub(in crate::cli) fn extension(self) -> &'static str {
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
        .ok_or_else(|| "must be from 1 to 100".to_owned())
}
