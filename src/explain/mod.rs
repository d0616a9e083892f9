//! Explains to an operator why a member gets emails, or does not.

mod next_email;
mod sentences;
mod why;

pub use why::{Explained, Explainer, Explanation};
