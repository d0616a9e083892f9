//! Lines of bounded length.

use super::error::ImportError;
use std::io::{BufRead, BufReader, Read};

/// In bytes. A refresh token that is a JWT takes a few thousand.
const MAX_LINE: usize = 64 * 1024;

/// The non-blank lines, numbered from 1, without line breaks and without a byte order mark.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    number: u64,
    bytes: u64,
    failed: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), number: 0, bytes: 0, failed: false }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// The next line, including blank ones.
    fn line(&mut self) -> Result<Option<String>, ImportError> {
        let mut line = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut line);
        self.number += 1;
        if read.map_err(|error| self.failure(&error))? == 0 {
            return Ok(None);
        }
        self.bytes += line.len() as u64;
        if line.len() > MAX_LINE && !line.ends_with(b"\n") {
            self.skip_line()?;
            return Err(ImportError::at(self.number, format!("must be at most {MAX_LINE} bytes")));
        }
        let text = String::from_utf8(line).map_err(|_| ImportError::at(self.number, "must be UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let text = if self.number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        Ok(Some(text.to_owned()))
    }

    fn skip_line(&mut self) -> Result<(), ImportError> {
        loop {
            let (taken, ended) = match self.reader.fill_buf() {
                Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                    Some(end) => (end + 1, true),
                    None => (buffer.len(), buffer.is_empty()),
                },
                Err(error) => return Err(self.failure(&error)),
            };
            self.reader.consume(taken);
            self.bytes += taken as u64;
            if ended {
                return Ok(());
            }
        }
    }

    fn failure(&mut self, error: &std::io::Error) -> ImportError {
        self.failed = true;
        ImportError::at(self.number, format!("cannot read: {error}"))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<(u64, String), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            match self.line() {
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => return Some(Ok((self.number, line))),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}
