//! The stream beneath an SMTP conversation.

use super::reply_normalizer::ReplyNormalizer;
use lettre::transport::smtp::client::AsyncTokioStream;
use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Any stream, as lettre wants it.
pub(super) struct NormalizedStream<S> {
    stream: S,
    peer: SocketAddr,
    replies: ReplyNormalizer,
    /// Whether the next EHLO goes out as HELO.
    sends_helo: bool,
}

impl<S> NormalizedStream<S> {
    pub(super) fn new(stream: S, peer: SocketAddr) -> Self {
        Self { stream, peer, replies: ReplyNormalizer::default(), sends_helo: false }
    }

    /// For a server that does not know EHLO: the client library sends nothing else.
    pub(super) fn with_helo(stream: S, peer: SocketAddr) -> Self {
        Self { sends_helo: true, ..Self::new(stream, peer) }
    }

    /// After STARTTLS a server greets no second time (RFC 3207, section 4.2), but a client that begins afresh, and so
    /// forgets all it read in the clear, waits for a greeting.
    pub(super) fn after_starttls(stream: S, peer: SocketAddr) -> Self {
        Self { stream, peer, replies: ReplyNormalizer::with_prelude("220 protected\r\n"), sends_helo: false }
    }
}

impl<S> fmt::Debug for NormalizedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NormalizedStream")
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> AsyncTokioStream for NormalizedStream<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NormalizedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.replies.ready().is_empty() {
            let mut space = [0; 1024];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.replies.take(read.filled());
        }
        let ready = self.replies.ready();
        let now = ready.len().min(buf.remaining());
        buf.put_slice(&ready[..now]);
        self.replies.consume(now);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NormalizedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.sends_helo && buf.starts_with(b"EHLO ") {
            let hello = [b"HELO", &buf[4..]].concat();
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &hello))?;
            self.sends_helo = written == 0;
            return Poll::Ready(Ok(written));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
