//! What a mail tells and must not, in words for the operator.

use crate::config::Disclosure;
use std::fmt;

/// Something that a mail tells and must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) place: &'static str,
    pub(super) level: Disclosure,
    pub(super) told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Name,
    SourceType,
    /// By a phrase that names a kind of source.
    SourceTypeWord(String),
    /// The mails for the two statuses differ.
    Status,
    /// By a word that means one.
    StatusWord(String),
    /// Nothing: there is a hole where a value was to be.
    Gap,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, place, told, .. } = self;
        let level = self.level.as_str();
        write!(f, "{file}")?;
        if *line > 0 {
            write!(f, ":{line}")?;
        }
        let forbids = format!("which notices.disclosure = \"{level}\" forbids");
        match told {
            Told::Name => write!(f, ": the {place} tells the source's name, {forbids}"),
            Told::SourceType => write!(f, ": the {place} tells the kind of source, {forbids}"),
            Told::SourceTypeWord(word) => write!(
                f,
                ": the {place} tells the kind of source ({word:?}), {forbids}; take the words out, or write them under \
                 {{% if sources %}}"
            ),
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
        }
    }
}
