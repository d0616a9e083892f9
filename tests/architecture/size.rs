//! Limits for files and rooms.

use crate::source::Tree;
use std::collections::BTreeMap;

const MAX_LINES: usize = 400;
/// The store, which holds all SQL of both engines and the copy between them, is the largest.
const MAX_PERCENT: usize = 30;

/// Files that are too long.
pub(crate) fn long_files(tree: &Tree) -> Vec<(String, String)> {
    let lines = tree.files.iter().map(|file| (&file.path, file.text.lines().count()));
    let long = lines.filter(|(_, lines)| *lines > MAX_LINES);
    long.map(|(path, lines)| (path.clone(), format!("{path} has {lines} lines"))).collect()
}

/// Rooms with too large a share of the lines. Tests do not count.
pub(crate) fn large_rooms(tree: &Tree) -> Vec<String> {
    let mut rooms = BTreeMap::<String, usize>::new();
    for (at, file) in tree.files.iter().enumerate() {
        if !tree.tests.contains(&at)
            && let Some(room) = file.module().first()
        {
            *rooms.entry(room.clone()).or_default() += lines_without_tests(&file.text);
        }
    }
    let total: usize = rooms.values().sum();
    let is_large = |lines: usize| lines * 100 > total * MAX_PERCENT;
    let large = rooms.iter().filter(|(room, lines)| *room != "sim" && is_large(**lines));
    large.map(|(room, lines)| format!("{room} has {lines} of {total} lines")).collect()
}

/// Skips inline test modules. Relies on rustfmt: such a module ends with a brace in its own column.
fn lines_without_tests(text: &str) -> usize {
    let (mut count, mut lines) = (0, text.lines().peekable());
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.trim_end().ends_with('{')) {
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            while lines.next().is_some_and(|line| line != end) {}
        } else {
            count += 1;
        }
    }
    count
}
