//! What a copy reports.

use super::digest::TableDigest;

/// How far it is.
#[derive(Clone, Debug)]
pub struct CopyProgress<'a> {
    pub table: &'a str,
    /// Whether the rows are written, and are read again.
    pub is_verifying: bool,
    /// Of all tables.
    pub rows: u64,
    pub total: u64,
}

/// A table that both databases hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    pub name: String,
    pub digest: TableDigest,
}
