//! A line of CSV. No value can contain a line break, so an unclosed quote affects one line only.

use super::error::{ImportError, RowError};
use super::row::{self, Fields};

/// The columns that the header on this line names.
pub(super) fn columns(line: u64, header: &str) -> Result<Vec<&'static str>, ImportError> {
    let error = |message: String| Err(ImportError::at(line, message));
    let names = values(header).map_err(|error| error.at(line))?;
    if names.len() == 1 && header.contains([';', '\t']) {
        return error("only one column; separate columns with commas".to_owned());
    }
    let mut columns = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match row::field(name) {
            Ok(field) if columns.contains(&field) => {
                return error(format!("column {} is a second {field}; remove one of them", index + 1));
            }
            Ok(field) => columns.push(field),
            Err(hint) => return error(format!("column {} is unknown; {hint}", index + 1)),
        }
    }
    match row::REQUIRED.iter().find(|required| !columns.contains(required)) {
        Some(missing) => {
            error(format!("the column {missing} is missing; name the columns on the first line"))
        }
        None => Ok(columns),
    }
}

pub(super) fn fields(columns: &[&'static str], line: &str) -> Result<Fields, RowError> {
    let values = values(line)?;
    if values.len() != columns.len() {
        let (actual, expected) = (values.len(), columns.len());
        return Err(format!(
            "{actual} values for {expected} columns; put a value that contains a comma in double quotes"
        )
        .into());
    }
    Ok(columns.iter().copied().zip(values).collect())
}

fn values(line: &str) -> Result<Vec<String>, RowError> {
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
