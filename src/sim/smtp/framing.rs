//! SMTP's lines, replies, and dots.

use std::{io, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The largest accepted email, in bytes.
pub(super) const MAX_MAIL: usize = 10 * 1024 * 1024;
/// The longest command line, in bytes; RFC 5321 asks for 512, extensions for more.
const MAX_LINE: u64 = 4096;
/// The largest part of an email that is read at once, in bytes.
const MAX_PIECE: u64 = 64 * 1024;
/// How long a client may be silent (RFC 5321, section 4.5.3.2.7).
const SILENCE: Duration = Duration::from_secs(300);

/// A TCP connection, bare or under TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that is read as SMTP.
pub(super) struct Framing(BufReader<Box<dyn Stream>>);

impl Framing {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self(BufReader::new(stream))
    }

    /// The connection itself. Bytes that were read ahead are lost.
    pub(super) fn into_inner(self) -> Box<dyn Stream> {
        self.0.into_inner()
    }

    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.0.get_mut().shutdown().await
    }

    /// Waits until the client sends anything.
    pub(super) async fn some(&mut self) -> io::Result<()> {
        timed(self.0.fill_buf()).await.map(drop)
    }

    /// The email up to the final dot, without dot-stuffing; `None` when it is too large. Only CR LF ends a line,
    /// so that no second email can be smuggled into the first.
    pub(super) async fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut mail, mut piece) = (Vec::new(), Vec::new());
        let (mut at_start, mut after_cr, mut too_large) = (true, false, false);
        loop {
            piece.clear();
            let read = timed((&mut self.0).take(MAX_PIECE).read_until(b'\n', &mut piece)).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if at_start && piece == b".\r\n" {
                return Ok((!too_large).then_some(mail));
            }
            let unstuffed = if at_start { piece.strip_prefix(b".").unwrap_or(&piece) } else { &piece };
            too_large |= mail.len() + unstuffed.len() > MAX_MAIL;
            if !too_large {
                mail.extend_from_slice(unstuffed);
            }
            at_start = piece.ends_with(b"\r\n") || (after_cr && piece == b"\n");
            after_cr = piece.ends_with(b"\r");
        }
    }

    /// Sends a reply as it is.
    pub(super) async fn say_verbatim(&mut self, reply: &str) -> io::Result<()> {
        self.0.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await?;
        self.0.get_mut().flush().await
    }

    /// Replies. A text of several lines becomes a multiline reply.
    pub(super) async fn say(&mut self, code: u16, text: &str) -> io::Result<()> {
        let mut reply = String::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            reply.push_str(&format!("{code}{separator}{line}\r\n"));
        }
        if reply.is_empty() {
            reply = format!("{code} \r\n");
        }
        self.0.get_mut().write_all(reply.as_bytes()).await?;
        self.0.get_mut().flush().await
    }

    /// The next line without its end; `None` when the client has disconnected.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = timed((&mut self.0).take(MAX_LINE).read_until(b'\n', &mut line)).await?;
        if read == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without end"));
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}

async fn timed<T>(reading: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(SILENCE, reading).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
