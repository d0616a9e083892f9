//! Whom a connection waits for: its client, or this process.

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::Request;
use futures_util::{Stream, StreamExt};
use hyper::body::{Body as _, Incoming};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

/// It is the client's turn while it has to send something, or to read a response.
#[derive(Debug)]
pub(super) struct ClientTurn {
    since: Mutex<Option<Instant>>,
    has_request: AtomicBool,
}

impl Default for ClientTurn {
    /// Of a new connection.
    fn default() -> Self {
        Self { since: Mutex::new(Some(Instant::now())), has_request: AtomicBool::new(false) }
    }
}

impl ClientTurn {
    /// Since when the client has been waited for. `None` while this process works.
    pub(super) fn waited_since(&self) -> Option<Instant> {
        *self.since()
    }

    /// Whether the client has ever sent a request.
    pub(super) fn has_request(&self) -> bool {
        self.has_request.load(Ordering::Relaxed)
    }

    /// The headers of a request have arrived.
    pub(super) fn on_request(self: &Arc<Self>, request: Request<Incoming>) -> Request<Body> {
        self.begin_work();
        let turn = Arc::clone(self);
        request.map(|body| {
            if body.is_end_stream() {
                return Body::empty();
            }
            Body::from_stream(FollowedBody { data: Body::new(body).into_data_stream(), turn })
        })
    }

    /// From now on, this process works on a request.
    pub(super) fn begin_work(&self) {
        self.has_request.store(true, Ordering::Relaxed);
        self.end();
    }

    /// The client gets a response.
    pub(super) fn on_response(&self) {
        self.begin();
    }

    fn begin(&self) {
        self.since().get_or_insert_with(Instant::now);
    }

    fn end(&self) {
        *self.since() = None;
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct FollowedBody {
    data: BodyDataStream,
    turn: Arc<ClientTurn>,
}

impl Stream for FollowedBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = self.data.poll_next_unpin(context);
        match piece {
            Poll::Ready(_) => self.turn.end(),
            Poll::Pending => self.turn.begin(),
        }
        piece
    }
}
