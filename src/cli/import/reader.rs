//! The rows of a file.

use super::error::ImportError;
use super::lines::Lines;
use super::row::{self, ImportRow};
use super::{csv, json};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

enum Format {
    JsonLines,
    /// With the field of each column.
    Csv(Vec<&'static str>),
}

/// The rows of a file. After an invalid row the next one follows; after a read error the rows end.
pub(in crate::cli) struct Import {
    lines: Lines<Box<dyn Read + Send>>,
    format: Format,
    /// The first line, which was read to detect the format.
    first: Option<(u64, String)>,
    /// The line of each id.
    seen: HashMap<String, u64>,
}

impl Import {
    /// Opens a file, or standard input for `-`. The extension selects the format (`.csv`, or `.jsonl`, `.ndjson`, or
    /// `.json`); without one of these, the first character does.
    ///
    /// # Errors
    /// The file cannot be read, or the columns of a CSV file are not those of a member.
    pub(in crate::cli) fn open(path: &Path) -> Result<Self, ImportError> {
        if path == Path::new("-") {
            return Self::read(Box::new(BufReader::new(io::stdin())), None);
        }
        let file = File::open(path)
            .map_err(|error| ImportError::at(0, format!("cannot read {}: {error}", path.display())))?;
        Self::read(Box::new(BufReader::new(file)), path.extension().and_then(|extension| extension.to_str()))
    }

    pub(super) fn read(reader: Box<dyn Read + Send>, extension: Option<&str>) -> Result<Self, ImportError> {
        let mut lines = Lines::new(reader);
        let first = lines.next().transpose()?;
        let start = first.as_ref().map_or("", |(_, line)| line.trim_start());
        let is_csv = match extension.map(str::to_lowercase).as_deref() {
            Some("csv") => true,
            Some("jsonl" | "ndjson" | "json") => false,
            _ => !start.starts_with(['{', '[']),
        };
        if !is_csv && start.starts_with('[') {
            return Err(ImportError::at(1, "must not be a JSON array; write one JSON object per line"));
        }
        let (format, first) = match first {
            Some((number, header)) if is_csv => (Format::Csv(csv::columns(number, &header)?), None),
            first => (Format::JsonLines, first),
        };
        Ok(Self { lines, format, first, seen: HashMap::new() })
    }

    pub(in crate::cli) fn bytes_read(&self) -> u64 {
        self.lines.bytes_read()
    }

    fn row(&mut self, number: u64, line: &str) -> Result<ImportRow, ImportError> {
        let fields = match &self.format {
            Format::JsonLines => json::fields(line),
            Format::Csv(columns) => csv::fields(columns, line),
        };
        let row = fields.and_then(row::check).map_err(|error| error.at(number))?;
        if let Some(earlier) = self.seen.insert(row.member.id.as_str().to_owned(), number) {
            let message = format!("is already on line {earlier}; remove one of them");
            return Err(ImportError { line: number, field: Some("member_id"), message });
        }
        Ok(row)
    }
}

impl Iterator for Import {
    type Item = Result<ImportRow, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.first.take().map(Ok).or_else(|| self.lines.next())?;
        Some(line.and_then(|(number, line)| self.row(number, &line)))
    }
}
