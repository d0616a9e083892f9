//! The templates of the emails: the built-in ones and an operator's overrides.

mod builtin;
#[cfg(test)]
mod tests;
mod warnings;

pub(super) use builtin::load;
pub(crate) use warnings::TemplateWarning;
pub(super) use warnings::warnings;
