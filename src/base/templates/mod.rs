//! Templates in several languages, built in and an operator's own: the emails and the pages.

mod catalog;
mod error;
pub(crate) mod html;
mod languages;
mod locate;
mod overrides;
mod set;

pub(crate) use catalog::Catalog;
pub(crate) use error::TemplateError;
pub(crate) use locate::place;
pub(crate) use set::TemplateSet;
