//! The rows of a file.

use super::error::ImportError;
use super::file_kind;
use super::lines::Lines;
use super::row::{self, MemberLine};
use super::{csv, json};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// More warnings would not help.
const MAX_WARNINGS: usize = 20;

enum Format {
    JsonLines,
    Csv(Vec<csv::Column>),
}

/// The rows of a file. After an invalid row the next one follows; after a read error the rows end.
pub(crate) struct MemberFile {
    lines: Lines<Box<dyn Read + Send>>,
    format: Format,
    ignore_unknown: bool,
    /// The first line, which was read to detect the format.
    first: Option<(u64, String)>,
    /// The line of each id.
    seen: HashMap<String, u64>,
    /// The line of each id with an upper-case letter, by the id in lower case.
    folded: HashMap<String, u64>,
    warnings: Vec<ImportError>,
}

impl MemberFile {
    /// Opens a file, or standard input for `-`. The extension selects the format (`.csv`, or `.jsonl`, `.ndjson`, or
    /// `.json`); without one of these, the first character does. With `ignore_unknown`, other columns are ignored.
    ///
    /// # Errors
    /// The file cannot be read, is of another kind, or the columns of a CSV file are not those of a member.
    pub(crate) fn open(path: &Path, ignore_unknown: bool) -> Result<Self, ImportError> {
        if path == Path::new("-") {
            return Self::read(Box::new(BufReader::new(io::stdin())), None, ignore_unknown);
        }
        let file = File::open(path).map_err(|error| ImportError::at(0, format!("cannot read: {error}")))?;
        let extension = path.extension().and_then(|extension| extension.to_str());
        Self::read(Box::new(BufReader::new(file)), extension, ignore_unknown)
    }

    /// Like [`Self::open`], from any source. Reads its first lines.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub(crate) fn read(
        reader: Box<dyn Read + Send>,
        extension: Option<&str>,
        ignore_unknown: bool,
    ) -> Result<Self, ImportError> {
        let (reader, remedy) =
            file_kind::detect(reader).map_err(|error| ImportError::at(0, format!("cannot read: {error}")))?;
        if let Some(remedy) = remedy {
            return Err(ImportError::at(0, remedy));
        }
        let mut lines = Lines::new(Box::new(reader) as Box<dyn Read + Send>);
        let mut first = lines.next().transpose()?;
        let start = first.as_ref().map_or("", |(_, line)| line.trim_start());
        let is_csv = match extension.map(str::to_lowercase).as_deref() {
            Some("csv") => true,
            Some("jsonl" | "ndjson" | "json") => false,
            _ => !start.starts_with(['{', '[']),
        };
        if !is_csv && start.starts_with('[') {
            return Err(ImportError::at(1, "must not be a JSON array; write one JSON object per line"));
        }
        if let Some((number, line)) = &first
            && is_csv
            && csv::is_separator_line(*number, line)?
        {
            first = lines.next().transpose()?;
        }
        let (format, first) = match first {
            Some((number, header)) if is_csv => {
                (Format::Csv(csv::columns(number, &header, ignore_unknown)?), None)
            }
            first => (Format::JsonLines, first),
        };
        let (seen, folded) = (HashMap::new(), HashMap::new());
        Ok(Self { lines, format, ignore_unknown, first, seen, folded, warnings: Vec::new() })
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.lines.bytes_read()
    }

    /// Values that are imported but probably wrong, so far; the first ones.
    pub(crate) fn warnings(&self) -> &[ImportError] {
        &self.warnings
    }

    fn warn(&mut self, warning: ImportError) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// `None` if the row is empty.
    fn row(&mut self, line: u64, text: &str) -> Result<Option<MemberLine>, ImportError> {
        let fields = match &self.format {
            Format::JsonLines => json::fields(text, self.ignore_unknown).map(Some),
            Format::Csv(columns) => csv::fields(columns, text),
        };
        let Some(fields) = fields.map_err(|error| error.at(line))? else { return Ok(None) };
        let mut row = row::check(line, fields).map_err(|error| error.at(line))?;
        if let Some(suspicion) = row.suspicion.take() {
            self.warn(suspicion.at(line));
        }
        let id = row.edit.id.as_str();
        if let Some(earlier) = self.seen.insert(id.to_owned(), line) {
            let message = format!("is already on line {earlier}; remove one of them");
            return Err(ImportError { line, field: Some(row::MEMBER_ID), message });
        }
        self.note_case(line, id.to_owned());
        Ok(Some(row))
    }

    fn note_case(&mut self, line: u64, id: String) {
        let folded = id.to_lowercase();
        let mut earlier = self.folded.get(&folded).copied();
        if folded != id {
            earlier = earlier.or_else(|| self.seen.get(&folded).copied());
            self.folded.insert(folded, line);
        }
        if let Some(earlier) = earlier {
            let message = format!("differs only in case from line {earlier}; they are two members");
            self.warn(ImportError { line, field: Some(row::MEMBER_ID), message });
        }
    }
}

impl Iterator for MemberFile {
    type Item = Result<MemberLine, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.first.take().map(Ok).or_else(|| self.lines.next())?;
            let row = line.and_then(|(number, line)| self.row(number, &line));
            if let Some(row) = row.transpose() {
                return Some(row);
            }
        }
    }
}
