//! Reads members from a file: JSON Lines, or CSV with the same names. Memory holds one line, and the ids so far.

mod csv;
mod error;
mod json;
mod lines;
mod reader;
mod row;
#[cfg(test)]
mod tests;

pub(super) use reader::Import;
pub(super) use row::ImportRow;
