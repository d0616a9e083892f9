//! Explains to an operator why a member gets emails, or does not.

pub(crate) mod next_email;
pub(crate) mod sentences;
