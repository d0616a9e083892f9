//! Reads members from a file: JSON Lines, or CSV with the same names. Memory holds one line, and the ids so far.

mod csv;
mod error;
mod file_kind;
mod json;
mod lines;
mod reader;
mod row;
#[cfg(test)]
mod tests;

pub(super) use error::ImportError;
pub(super) use reader::MemberFile;
pub(super) use row::{Fields, MemberRow, check};
