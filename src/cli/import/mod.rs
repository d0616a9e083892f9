//! Reads members from a file, row by row: JSON Lines, or CSV with the same names. What is held in memory is
//! one line and the ids seen so far. No error repeats an address, a token or anything else that a row holds.

mod lines;
mod row;
#[cfg(test)]
mod tests;

use crate::domain::{Member, RefreshToken};
use lines::Lines;
use row::Fields;
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// One member to enrol or update.
#[derive(Debug)]
pub(super) struct ImportRow {
    /// The member, not paused.
    pub(crate) member: Member,
    /// What to get tokens with; `None` leaves what is there.
    pub(crate) refresh_token: Option<RefreshToken>,
}

/// What is wrong with a row, or with the file as a whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) struct ImportError {
    /// From 1; 0 when it is no line in particular.
    pub(crate) line: u64,
    /// Which field, when it is one.
    pub(crate) field: Option<&'static str>,
    /// What is wrong, and what to do.
    pub(crate) what: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl ImportError {
    fn at(line: u64, what: impl Into<String>) -> Self {
        Self { line, field: None, what: what.into() }
    }
}

enum Format {
    JsonLines,
    /// The column of each value.
    Csv(Vec<&'static str>),
}

/// The rows of a file. A bad row is an error and the next one follows; after a read error there is no next one.
pub(super) struct Import {
    lines: Lines<Box<dyn Read + Send>>,
    format: Format,
    /// A line read in advance, to tell the format.
    first: Option<(u64, String)>,
    /// On which line each id was.
    seen: HashMap<String, u64>,
}

impl Import {
    /// Opens a file, or standard input for `-`. The extension tells the format (`.csv`; `.jsonl`, `.ndjson`,
    /// `.json`), else the first character does.
    ///
    /// # Errors
    /// When it cannot be read, or the columns of a CSV file are not those of a member.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        if path == Path::new("-") {
            return Self::read(Box::new(BufReader::new(io::stdin())), None);
        }
        let file = File::open(path)
            .map_err(|error| ImportError::at(0, format!("cannot read {}: {error}", path.display())))?;
        Self::read(Box::new(BufReader::new(file)), path.extension().and_then(|extension| extension.to_str()))
    }

    fn read(reader: Box<dyn Read + Send>, extension: Option<&str>) -> Result<Self, ImportError> {
        let mut lines = Lines::new(reader);
        let first = lines.next().transpose()?;
        let start = first.as_ref().map_or("", |(_, line)| line.trim_start());
        let csv = match extension.map(str::to_lowercase).as_deref() {
            Some("csv") => true,
            Some("jsonl" | "ndjson" | "json") => false,
            _ => !start.starts_with(['{', '[']),
        };
        if !csv && start.starts_with('[') {
            return Err(ImportError::at(1, "a JSON array; write one JSON object a line"));
        }
        let (format, first) = match first {
            Some((number, header)) if csv => (Format::Csv(columns(number, &header)?), None),
            first => (Format::JsonLines, first),
        };
        Ok(Self { lines, format, first, seen: HashMap::new() })
    }

    /// How many bytes were read so far, for a progress bar.
    pub(super) fn bytes_read(&self) -> u64 {
        self.lines.bytes_read()
    }

    fn row(&mut self, number: u64, line: &str) -> Result<ImportRow, ImportError> {
        let fields = match &self.format {
            Format::JsonLines => json_fields(line),
            Format::Csv(columns) => csv_fields(columns, line),
        };
        let row = fields.and_then(row::check).map_err(|wrong| ImportError {
            line: number,
            field: wrong.field,
            what: wrong.what,
        })?;
        if let Some(earlier) = self.seen.insert(row.member.id.as_str().to_owned(), number) {
            let what = format!("was on line {earlier} already; keep one of them");
            return Err(ImportError { line: number, field: Some("member_id"), what });
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

/// The columns that a header names.
fn columns(number: u64, header: &str) -> Result<Vec<&'static str>, ImportError> {
    let refuse = |what: String| Err(ImportError::at(number, what));
    let names = csv_values(header).map_err(|wrong| ImportError::at(number, wrong.what))?;
    if names.len() == 1 && header.contains([';', '\t']) {
        return refuse("one column only; separate the columns by commas".to_owned());
    }
    let mut columns = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match row::field(name) {
            Ok(field) if columns.contains(&field) => {
                return refuse(format!("column {} is {field} again; keep one of them", index + 1));
            }
            Ok(field) => columns.push(field),
            Err(hint) => return refuse(format!("column {} is unknown; {hint}", index + 1)),
        }
    }
    match row::REQUIRED.iter().find(|required| !columns.contains(required)) {
        Some(missing) => refuse(format!("there is no column {missing}; the first line names the columns")),
        None => Ok(columns),
    }
}

fn csv_fields(columns: &[&'static str], line: &str) -> Result<Fields, row::Wrong> {
    let values = csv_values(line)?;
    if values.len() != columns.len() {
        let (here, there) = (values.len(), columns.len());
        return Err(
            format!("{here} values for {there} columns; put a value that holds a comma in quotes").into()
        );
    }
    Ok(columns.iter().copied().zip(values).collect())
}

/// One line at a time: no value may hold a line break, so that a quote left open spoils one line and not the
/// rest.
fn csv_values(line: &str) -> Result<Vec<String>, row::Wrong> {
    if line.matches('"').count() % 2 == 1 {
        return Err("a quote is left open; close it on the same line".to_owned().into());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .buffer_capacity(line.len().max(1))
        .from_reader(line.as_bytes());
    match reader.records().next() {
        Some(Ok(record)) => Ok(record.iter().map(str::to_owned).collect()),
        Some(Err(_)) | None => Err("not a line of CSV".to_owned().into()),
    }
}

fn json_fields(line: &str) -> Result<Fields, row::Wrong> {
    // The parser's message for a value of the wrong type repeats it; for bad syntax it does not.
    let value: Value =
        serde_json::from_str(line).map_err(|error| format!("not JSON (column {})", error.column()))?;
    let Value::Object(object) = value else {
        return Err("not a JSON object; write {\"member_id\": …, \"email\": …}".to_owned().into());
    };
    let mut fields = Fields::new();
    for (name, value) in object {
        let field = row::field(&name).map_err(|hint| format!("a field is unknown; {hint}"))?;
        match value {
            Value::String(text) => drop(fields.insert(field, text)),
            Value::Null => {}
            _ => {
                return Err(row::Wrong {
                    field: Some(field),
                    what: "not text; write it in quotes".to_owned(),
                });
            }
        }
    }
    Ok(fields)
}
