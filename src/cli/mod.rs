//! The command line: arguments → call → print.

pub mod args;
pub mod import;
