//! A line of CSV. No value can contain a line break, so an unclosed quote affects one line only.

use super::error::{ImportError, RowError};
use super::row::{self, Fields};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Field(&'static str),
    /// Unknown, and ignored on request.
    Ignored,
    /// Its values must be empty.
    Unnamed,
}

/// Whether a spreadsheet wrote this line to name the separator.
///
/// # Errors
/// The separator is not a comma.
pub(super) fn is_separator_line(line: u64, text: &str) -> Result<bool, ImportError> {
    let text = text.trim().trim_matches('"').to_ascii_lowercase();
    match text.strip_prefix("sep=").map(|rest| rest.trim_end_matches(',')) {
        None => Ok(false),
        Some("") => Ok(true),
        Some(_) => Err(ImportError::at(line, "separate columns with commas")),
    }
}

/// The columns that the header on this line names.
pub(super) fn columns(line: u64, header: &str, ignore_unknown: bool) -> Result<Vec<Column>, ImportError> {
    let error = |message: String| Err(ImportError::at(line, message));
    let names = values(header).map_err(|error| error.at(line))?;
    if names.len() == 1 && header.contains([';', '\t']) {
        return error("only one column; separate columns with commas".to_owned());
    }
    let mut columns = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let column = match row::field(name) {
            _ if name.trim().is_empty() => Column::Unnamed,
            Ok(field) => Column::Field(field),
            Err(_) if ignore_unknown => Column::Ignored,
            Err(unknown) => {
                let name = unknown.shown(names.iter().any(|name| name.trim() == row::MEMBER_ID));
                return error(format!("column {}{name} is unknown; {}", index + 1, unknown.hint));
            }
        };
        if let Column::Field(field) = column
            && columns.contains(&column)
        {
            return error(format!("column {} is a second {field}; remove one of them", index + 1));
        }
        columns.push(column);
    }
    if !columns.contains(&Column::Field(row::MEMBER_ID)) {
        return error("the column member_id is missing; name the columns on the first line".to_owned());
    }
    Ok(columns)
}

/// The values of a row; `None` if all are empty.
pub(super) fn fields(columns: &[Column], line: &str) -> Result<Option<Fields>, RowError> {
    let mut values = values(line)?;
    if values.iter().all(|value| value.trim().is_empty()) {
        return Ok(None);
    }
    // Spreadsheets add and drop separators at the end of a row.
    while values.len() > columns.len() && values.last().is_some_and(|value| value.trim().is_empty()) {
        values.pop();
    }
    while columns.get(values.len()).is_some_and(|column| *column == Column::Unnamed) {
        values.push(String::new());
    }
    if values.len() != columns.len() {
        let (actual, expected) = (values.len(), columns.len());
        return Err(format!(
            "the row has {actual} of {expected} values; put a value that contains a comma in double quotes"
        )
        .into());
    }
    let mut fields = Fields::new();
    for (index, (column, value)) in columns.iter().zip(values).enumerate() {
        match column {
            Column::Field(field) => drop(fields.insert(field, value)),
            Column::Unnamed if !value.trim().is_empty() => {
                return Err(format!("column {} has a value and no name; name or remove it", index + 1).into());
            }
            Column::Ignored | Column::Unnamed => {}
        }
    }
    Ok(Some(fields))
}

fn values(line: &str) -> Result<Vec<String>, RowError> {
    if !line.contains('"') {
        // To build a reader for each line takes longer than everything else.
        return Ok(line.split(',').map(str::to_owned).collect());
    }
    if line.matches('"').count() % 2 == 1 {
        return Err("unclosed quote; close it on the same line".to_owned().into());
    }
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .buffer_capacity(line.len().max(1))
        .from_reader(line.as_bytes());
    match reader.records().next() {
        Some(Ok(record)) => Ok(record.iter().map(str::to_owned).collect()),
        Some(Err(_)) | None => Err("invalid CSV".to_owned().into()),
    }
}
