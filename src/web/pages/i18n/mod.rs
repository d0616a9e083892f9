//! The texts of the pages, in each language.

mod en;
mod es;
mod language;
mod situation;
mod strings;

pub(super) use language::Language;
pub(crate) use language::negotiate_language;
pub(super) use situation::needs_app;
pub(super) use strings::{Notes, Strings, Text};

use super::page::Page;

pub(super) struct PageText {
    /// The `lang` attribute.
    pub(super) lang: &'static str,
    pub(super) strings: Strings,
    pub(super) text: Text,
}

impl PageText {
    pub(super) fn new(page: &Page, language: Language) -> Self {
        match language {
            Language::English => Self { lang: "en", strings: en::STRINGS, text: en::page_text(page) },
            Language::Spanish => Self { lang: "es", strings: es::STRINGS, text: es::page_text(page) },
        }
    }
}
