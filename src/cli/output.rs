//! What commands print: one JSON object a line, or a table for people.

use crate::domain::Time;
use chrono::SecondsFormat;
use serde::Serialize;
use std::io::{self, Write};

/// Prints a line, and fails where `println!` would panic: when whoever reads our output has gone.
macro_rules! outln {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), $($words)*)?
    }};
}
pub(super) use outln;

/// Prints rows as they come.
pub(super) struct Rows {
    json: bool,
    columns: &'static [(&'static str, usize)],
    headed: bool,
}

impl Rows {
    /// `columns` are the titles and widths of the table for people; the last one may be of any width.
    pub(super) fn new(json: bool, columns: &'static [(&'static str, usize)]) -> Self {
        Self { json, columns, headed: false }
    }

    /// Prints one row: `row` as JSON, or `cells` under the titles.
    pub(super) fn row(&mut self, row: &impl Serialize, cells: &[&str]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, row)?;
            return writeln!(out);
        }
        if !self.headed {
            self.headed = true;
            let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
            self.line(&mut out, &titles)?;
        }
        self.line(&mut out, cells)
    }

    fn line(&self, out: &mut impl Write, cells: &[&str]) -> io::Result<()> {
        let last = self.columns.len().saturating_sub(1);
        for (index, (cell, (_, width))) in cells.iter().zip(self.columns).enumerate() {
            let cell = printable(cell);
            if index == last {
                write!(out, "{cell}")?;
            } else {
                write!(out, "{cell:<width$}  ")?;
            }
        }
        writeln!(out)
    }
}

/// Names come from outside: control characters must not reach a terminal.
fn printable(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An instant as reports have it: RFC 3339, UTC, milliseconds.
pub(super) fn time(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Likewise, where there may be none.
pub(super) fn maybe_time(at: Option<Time>) -> Option<String> {
    at.map(time)
}
