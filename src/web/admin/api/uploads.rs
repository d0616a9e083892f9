//! The body of a request as a file, for code that reads from one. Only a few chunks of it are in memory.

use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use std::io::{self, ErrorKind, Read};
use tokio::sync::mpsc;

/// Chunks that wait for the reader.
const CHUNKS: usize = 4;

/// A chunk, the end (`None`), or why there is none.
type Message = io::Result<Option<Bytes>>;

pub(super) struct Uploaded(mpsc::Sender<Message>);

/// Reads on another thread what [`Uploaded::receive`] receives.
pub(super) struct UploadReader {
    chunks: mpsc::Receiver<Message>,
    chunk: Bytes,
    has_ended: bool,
}

pub(super) fn upload() -> (Uploaded, UploadReader) {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    (Uploaded(sender), UploadReader { chunks, chunk: Bytes::new(), has_ended: false })
}

impl Uploaded {
    /// Receives until the end, or until nobody reads anymore.
    pub(super) async fn receive(self, body: Body) {
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.next().await {
            let failed = chunk.is_err();
            let message = chunk.map(Some).map_err(|_| incomplete());
            if self.0.send(message).await.is_err() || failed {
                return;
            }
        }
        // The reader may have had enough.
        let _ = self.0.send(Ok(None)).await;
    }
}

fn incomplete() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the request ended before its body")
}

impl Read for UploadReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.has_ended {
            match self.chunks.blocking_recv() {
                Some(Ok(Some(chunk))) => self.chunk = chunk,
                Some(Ok(None)) => self.has_ended = true,
                Some(Err(error)) => return Err(error),
                None => return Err(incomplete()),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        buffer[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    async fn read(chunks: Vec<io::Result<&'static str>>) -> io::Result<String> {
        let (uploaded, mut reader) = upload();
        let reading = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        uploaded.receive(Body::from_stream(stream::iter(chunks))).await;
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn a_body_is_read_to_its_end_and_a_torn_one_is_an_error() {
        assert_eq!(read(vec![Ok("a,"), Ok(""), Ok("b")]).await.unwrap(), "a,b");
        assert_eq!(read(vec![]).await.unwrap(), "");
        let torn = read(vec![Ok("a,"), Err(ErrorKind::ConnectionReset.into())]).await;
        assert_eq!(torn.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_reader_without_a_sender_does_not_take_that_for_the_end() {
        let (uploaded, mut reader) = upload();
        drop(uploaded);
        let read = tokio::task::spawn_blocking(move || reader.read(&mut [0; 8])).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
