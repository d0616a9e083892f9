//! Brings a mail server's replies into the form of RFC 5321, which the client library requires. Servers omit the text of a
//! reply, end lines with LF alone, send Latin-1, or write extension keywords in lower case.

use std::{collections::VecDeque, str};

/// RFC 5321, section 4.5.3.1.5: a reply's line has at most 512 octets. A longer line is cut.
const MAX_LINE_BYTES: usize = 4096;
/// Further lines of a reply are dropped, except the last one.
const MAX_CONTINUATION_LINES: u32 = 128;
/// Keywords that the client library expects in upper case. Their case does not matter (section 2.4).
const KEYWORDS: [&str; 4] = ["STARTTLS", "SMTPUTF8", "8BITMIME", "AUTH"];

/// Turns received bytes into whole lines.
#[derive(Default)]
pub(super) struct ReplyNormalizer {
    line: Vec<u8>,
    /// The number of lines of the current reply so far.
    continued: u32,
    ready: VecDeque<u8>,
}

impl ReplyNormalizer {
    /// Inserts this text before the first received byte.
    pub(super) fn with_prelude(reply: &str) -> Self {
        Self { ready: reply.bytes().collect(), ..Self::default() }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < MAX_LINE_BYTES {
                self.line.push(byte);
            }
        }
    }

    /// The first contiguous part of the normalized bytes.
    pub(super) fn ready(&self) -> &[u8] {
        self.ready.as_slices().0
    }

    /// Drops bytes that were read.
    pub(super) fn consume(&mut self, read: usize) {
        self.ready.drain(..read);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let goes_on = line.get(3) == Some(&b'-');
        self.continued = if goes_on { self.continued.saturating_add(1) } else { 0 };
        if self.continued <= MAX_CONTINUATION_LINES {
            self.ready.extend(written(line.trim_ascii_end()).into_bytes());
            self.ready.extend(b"\r\n");
        }
    }
}

fn written(line: &[u8]) -> String {
    let text = match str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        // Latin-1 is what is left, and each of its bytes is the character of that number.
        Err(_) => line.iter().copied().map(char::from).collect(),
    };
    let is_code = |code: &str| code.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_at_checked(3) {
        Some((code, "")) if is_code(code) => format!("{code} "),
        Some(("250", rest)) => format!("250{}", extension(rest)),
        _ => text,
    }
}

/// A line of the reply to EHLO, from its separator on, with known keywords in upper case.
fn extension(rest: &str) -> String {
    let (separator, offer) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
    let word = offer.split([' ', '=']).next().unwrap_or_default();
    match KEYWORDS.iter().find(|keyword| keyword.eq_ignore_ascii_case(word)) {
        // `AUTH=LOGIN` is how it was written before RFC 2554.
        Some(keyword @ &"AUTH") => {
            let mechanisms = &offer[word.len()..];
            let mechanisms =
                mechanisms.strip_prefix('=').map_or(mechanisms.to_owned(), |rest| format!(" {rest}"));
            format!("{separator}{keyword}{}", mechanisms.trim_end().to_ascii_uppercase())
        }
        Some(keyword) => format!("{separator}{keyword}{}", &offer[word.len()..]),
        None => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these bytes, taken in pieces of each size.
    fn read(bytes: &[u8]) -> String {
        let in_pieces = |size: usize| {
            let mut replies = ReplyNormalizer::default();
            let mut text = Vec::new();
            for piece in bytes.chunks(size) {
                replies.take(piece);
                while !replies.ready().is_empty() {
                    text.extend_from_slice(replies.ready());
                    replies.consume(replies.ready().len());
                }
            }
            String::from_utf8(text).unwrap()
        };
        let whole = in_pieces(bytes.len());
        assert!([1, 2, 3, 7].iter().all(|size| in_pieces(*size) == whole), "{whole}");
        whole
    }

    #[test]
    fn whatever_a_server_writes_is_read_as_the_reply_that_it_is() {
        let cases: [(&[u8], &str, &str); 14] = [
            (b"250 2.0.0 fine\r\n", "250 2.0.0 fine\r\n", "as it should be"),
            (b"250\r\n", "250 \r\n", "no text"),
            (b"250 fine\n", "250 fine\r\n", "LF alone"),
            (b"250 accept\xe9\r\n", "250 accept\u{e9}\r\n", "Latin-1"),
            ("550 não\r\n".as_bytes(), "550 não\r\n", "UTF-8"),
            (b"250-mail\n250 starttls\n", "250-mail\r\n250 STARTTLS\r\n", "a keyword in lower case"),
            (b"250-auth=login plain\r\n", "250-AUTH LOGIN PLAIN\r\n", "the old way to offer a log-in"),
            (b"250 AUTH PLAIN\r\n", "250 AUTH PLAIN\r\n", "the new way"),
            (b"250-auth=\r\n", "250-AUTH\r\n", "no log-in"),
            (b"250 AUTH PLAIN X=Y\r\n", "250 AUTH PLAIN X=Y\r\n", "a later sign stays"),
            (b"250 Authenticated\r\n", "250 Authenticated\r\n", "a word that only begins like one"),
            (b"250-\xe9\xff\r\n", "250-\u{e9}\u{ff}\r\n", "nonsense"),
            (b"\n\r\nab\n", "\r\n\r\nab\r\n", "no reply at all"),
            (b"250 half", "", "a line is waited for"),
        ];
        for (bytes, expected, sentence) in cases {
            assert_eq!(read(bytes), expected, "{sentence}");
        }
    }

    #[test]
    fn an_endless_reply_takes_bounded_memory_and_its_end_is_seen() {
        let mut replies = ReplyNormalizer::default();
        for _ in 0..10_000 {
            replies.take(b"250-and more\r\n");
        }
        replies.take(&[b'x'; 100_000]);
        replies.take(b"\r\n250 end\r\n");
        assert!(replies.ready.len() < 16 * 1024, "{}", replies.ready.len());
        let text: Vec<u8> = replies.ready.into_iter().collect();
        assert!(text.ends_with(b"\r\n250 end\r\n"));
    }
}
