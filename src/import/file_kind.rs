//! Recognizes files that are not text in UTF-8 by their first bytes.

use std::io::{self, Cursor, ErrorKind, Read};

/// The longest signature, in bytes.
const LONGEST: usize = 4;

/// Returns a reader of the whole, and the remedy if the file is of another kind.
pub(super) fn detect<R: Read>(mut reader: R) -> io::Result<(impl Read, Option<&'static str>)> {
    let mut start = Vec::new();
    while start.len() < LONGEST {
        let mut byte = [0];
        match reader.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => start.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let remedy = remedy(&start);
    Ok((Cursor::new(start).chain(reader), remedy))
}

fn remedy(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
            "the file is in UTF-16; save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"
        }
        [b'P', b'K', 3, 4] => {
            "the file is an Excel workbook or another zip archive; save the sheet as CSV UTF-8"
        }
        [0xd0, 0xcf, 0x11, 0xe0] => "the file is an Excel workbook; save the sheet as CSV UTF-8",
        [0x1f, 0x8b, ..] => "the file is compressed; run `gunzip -c FILE | reconnectd members import -`",
        [0x28, 0xb5, 0x2f, 0xfd] => {
            "the file is compressed; run `zstd -dc FILE | reconnectd members import -`"
        }
        [b'B', b'Z', b'h', _] => {
            "the file is compressed; run `bunzip2 -c FILE | reconnectd members import -`"
        }
        [b'%', b'P', b'D', b'F'] => "the file is a PDF; export the members as CSV UTF-8",
        _ => return None,
    })
}
