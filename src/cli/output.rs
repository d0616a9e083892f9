//! Output: one JSON object per line, or a table for people.

pub(super) use crate::rows::time;

use serde::Serialize;
use std::io::{self, Write};

/// Rows that a command reads from the store at a time.
pub(super) const PAGE: u32 = 500;

/// Prints a line. Unlike `println!`, returns an error if the reader has closed the pipe.
macro_rules! outln {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), $($words)*)?
    }};
}
pub(super) use outln;

/// Prints a line for people to the standard error. Unlike `eprintln!`, does not panic if its reader has closed the pipe.
macro_rules! errln {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        // Nobody reads it anymore.
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}
pub(super) use errln;

pub(super) fn print_json(row: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, row)?;
    writeln!(out)
}

/// A table, or JSON lines.
pub(super) struct Rows {
    json: bool,
    columns: &'static [(&'static str, usize)],
    has_header: bool,
}

impl Rows {
    /// `columns` are titles and minimum widths. The width of the last one is ignored.
    pub(super) fn new(json: bool, columns: &'static [(&'static str, usize)]) -> Self {
        Self { json, columns, has_header: false }
    }

    /// Prints `row` as JSON, or `cells` under the titles.
    pub(super) fn row(&mut self, row: &impl Serialize, cells: &[&str]) -> io::Result<()> {
        if self.json {
            return print_json(row);
        }
        let mut out = io::stdout().lock();
        if !self.has_header {
            self.has_header = true;
            let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
            self.line(&mut out, &titles)?;
        }
        self.line(&mut out, cells)
    }

    fn line(&self, out: &mut impl Write, cells: &[&str]) -> io::Result<()> {
        let last = self.columns.len().saturating_sub(1);
        for (index, (cell, (_, width))) in cells.iter().zip(self.columns).enumerate() {
            let cell = table_cell(cell);
            if index == last {
                write!(out, "{cell}")?;
            } else {
                write!(out, "{cell:<width$}  ")?;
            }
        }
        writeln!(out)
    }
}

/// Replaces control characters, which could change the terminal: names come from the gateway.
/// An empty cell is a dash.
fn table_cell(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { single_line(text) }
}

/// A value from outside must not begin a line of its own or steer the terminal.
pub(super) fn single_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
