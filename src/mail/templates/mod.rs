//! The templates of the emails: the built-in ones and an operator's overrides.

mod builtin;
mod error;
mod languages;
mod locate;
mod overrides;
mod set;
#[cfg(test)]
mod tests;
mod warnings;

pub(crate) use error::TemplateError;
pub(super) use set::Templates;
pub(crate) use warnings::TemplateWarning;
