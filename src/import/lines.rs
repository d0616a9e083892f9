//! Lines of bounded length.

use super::error::ImportError;
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// In bytes. A refresh token that is a JWT takes a few thousand.
const MAX_LINE: usize = 64 * 1024;

/// The non-blank lines, numbered from 1, without line breaks (LF, CRLF, or CR) and without a byte order mark.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    number: u64,
    bytes: u64,
    /// The line before ended with CR. A LF that follows belongs to it.
    after_cr: bool,
    failed: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), number: 0, bytes: 0, after_cr: false, failed: false }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// The next line, including blank ones.
    fn line(&mut self) -> Result<Option<String>, ImportError> {
        self.number += 1;
        let Some((line, length)) = self.bytes_of_line()? else { return Ok(None) };
        if length > MAX_LINE {
            return Err(ImportError::at(self.number, format!("must be at most {MAX_LINE} bytes")));
        }
        let text = String::from_utf8(line)
            .map_err(|_| ImportError::at(self.number, "must be UTF-8; save the file as UTF-8"))?;
        let text = if self.number == 1 { text.strip_prefix('\u{feff}').unwrap_or(&text) } else { &text };
        Ok(Some(text.to_owned()))
    }

    /// The line's first bytes, up to the limit, and its length; `None` at the end of the file.
    fn bytes_of_line(&mut self) -> Result<Option<(Vec<u8>, usize)>, ImportError> {
        let (mut line, mut length, mut is_line) = (Vec::new(), 0, false);
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failed = true;
                    return Err(ImportError::at(self.number, format!("cannot read: {error}")));
                }
            };
            let Some(first) = buffer.first() else { return Ok(is_line.then_some((line, length))) };
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                self.reader.consume(1);
                self.bytes += 1;
                continue;
            }
            is_line = true;
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &buffer[..end.unwrap_or(buffer.len())];
            line.extend_from_slice(&part[..part.len().min(MAX_LINE.saturating_sub(line.len()))]);
            length += part.len();
            self.after_cr = end.is_some_and(|end| buffer[end] == b'\r');
            let read = part.len() + usize::from(end.is_some());
            self.reader.consume(read);
            self.bytes += read as u64;
            if end.is_some() {
                return Ok(Some((line, length)));
            }
        }
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
