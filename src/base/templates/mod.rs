//! Templates in several languages, built in and an operator's own: the emails and the pages.

mod catalog;
mod error;
pub(crate) mod html;
mod languages;
mod locate;
mod overrides;
mod set;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use catalog::Catalog;
pub(crate) use error::TemplateError;
pub(crate) use locate::place;
pub(crate) use set::TemplateSet;
