//! The templates of the emails: the built-in ones and an operator's overrides.

mod builtin;
mod fallback;
#[cfg(test)]
mod tests;
mod warnings;

pub(super) use builtin::load;
pub(super) use fallback::{Edition, Fallback};
pub(crate) use warnings::TemplateWarning;
pub(super) use warnings::warnings;
