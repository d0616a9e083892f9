//! Templates in several languages, built in and an operator's own: the emails and the pages.

mod catalog;
mod error;
#[cfg(test)]
mod fuzz_tests;
pub(crate) mod html;
mod languages;
mod locate;
mod overrides;
mod rendition;
mod set;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use catalog::Catalog;
pub(crate) use error::TemplateError;
pub(crate) use locate::place;
pub(crate) use rendition::{Rendition, prose_of_html, prose_of_text, urls_of_html, urls_of_text};
pub(crate) use set::TemplateSet;
