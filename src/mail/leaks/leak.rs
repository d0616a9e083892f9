//! What a mail tells and must not, in words for the operator.

use crate::{base::config::Disclosure, mail::templates};
use std::fmt;

/// Something that a mail tells and must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) place: Place,
    pub(super) level: Disclosure,
    pub(super) told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Name,
    SourceType,
    /// The mails for the two statuses differ.
    Status,
    /// By a word that means one.
    StatusWord(String),
    /// Nothing: there is a hole where a value was to be.
    Gap,
    /// Nothing, of sources of these kinds.
    Silence(String),
}

/// Where a mail tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Envelope,
    Header,
    Subject,
    Text,
    Html,
}

impl Place {
    /// Which of subject, text and HTML is at fault.
    pub(super) fn part(self) -> usize {
        match self {
            Self::Text => 1,
            Self::Html => 2,
            _ => 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envelope => "envelope",
            Self::Header => "header",
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "HTML",
        })
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, place, told, .. } = self;
        let level = self.level.as_str();
        f.write_str(&templates::place(file, *line))?;
        let forbids = format!("which notices.disclosure = \"{level}\" forbids");
        match told {
            Told::Name => write!(f, ": the {place} tells the source's name, {forbids}"),
            Told::SourceType => write!(f, ": the {place} tells the kind of source, {forbids}"),
            Told::Status => write!(
                f,
                ": the {place} tells the status, {forbids}: the mails \"expired\" and \"disconnected\" differ; give both \
                 the same words, or write those of their own under {{% if sources %}}"
            ),
            Told::StatusWord(word) => write!(
                f,
                ": the {place} tells the status ({word:?}), {forbids}; take the word out, or write it under \
                 {{% if sources %}}"
            ),
            Told::Gap => write!(
                f,
                ": the {place} has a hole where it says {{{{ sources }}}}, which is always empty with \
                 notices.disclosure = \"{level}\"; write the sentence under {{% if sources %}}, with another after \
                 {{% else %}}"
            ),
            Told::Silence(kinds) => write!(
                f,
                ": writes nothing for some sources (of the kinds: {kinds}), which notices.disclosure = \"{level}\" lets be \
                 told; write a phrase for every source, as the built-in sources.txt does"
            ),
        }
    }
}
