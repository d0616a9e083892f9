//! Reads members from a file: JSON Lines, or CSV with the same names. Memory holds one line, and the ids so far.

mod csv;
mod error;
mod file_kind;
#[cfg(test)]
mod fuzz_tests;
mod json;
mod lines;
mod reader;
mod row;
mod staging;
#[cfg(test)]
mod tests;

pub(crate) use error::ImportError;
pub(crate) use json::member;
pub(crate) use reader::MemberFile;
pub(crate) use row::{Fields, MemberLine, check};
pub(crate) use staging::{Staged, StagingError, StagingObserver, stage};
