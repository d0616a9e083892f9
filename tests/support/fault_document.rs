//! `deploy/faults.md`: several tests write and compare its sections.

use std::{env, fs, path::PathBuf};

/// The title of the rows that tests of the real program measure.
pub(crate) const DATABASE: &str = "The database";

/// Whether the tests write the document instead of comparing it.
pub(crate) fn is_to_be_written() -> bool {
    env::var_os("RECONNECTD_TEST_WRITE_DOCUMENTS").is_some()
}

pub(crate) fn read() -> String {
    fs::read_to_string(path()).expect("deploy/faults.md")
}

pub(crate) fn write(document: &str) {
    fs::write(path(), document).expect("deploy/faults.md is written");
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/faults.md")
}

/// The section with this title, from the title on.
pub(crate) fn section<'d>(document: &'d str, title: &str) -> &'d str {
    let start = document.find(&format!("## {title}\n")).unwrap_or(document.len());
    let rest = &document[start..];
    let end = rest[1.min(rest.len())..].find("\n## ").map_or(rest.len(), |end| end + 1);
    &rest[..end]
}
