//! A listener and its connections, with bounds on what a client may take: time, bytes and places.

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::timeout::RequestBodyDeadlineLayer;

/// How long requests under way may take once the daemon ends; connections that idle are not waited for.
const DRAIN: Duration = Duration::from_secs(10);
/// How long accepting rests when the system refuses, as it does when files run out.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);
/// A browser's request line and headers are a tenth of it.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 100;

/// What a client may take of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For sending a request's head. An idle connection is closed after as long.
    pub head: Duration,
    /// For sending a request's body, as a whole.
    pub body: Duration,
    /// For all of a connection's requests; then the one under way is still answered, if its client takes the answer
    /// within as long again.
    pub connection: Duration,
    /// Connections at once. Who comes then waits in the system's queue.
    pub connections: usize,
}

impl Default for Bounds {
    /// Far more than a browser or a proxy needs. A press waits for the gateway, perhaps for several of its timeouts.
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(20),
            connection: Duration::from_secs(5 * 60),
            connections: 1024,
        }
    }
}

/// Serves `router` until `ending` is called and the requests under way are answered.
///
/// # Errors
/// None at present: a system that refuses connections for a while is waited for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    ending: CancellationToken,
) -> std::io::Result<()> {
    let router = router.layer(RequestBodyDeadlineLayer::new(bounds.body));
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let (router, ending) = (router.clone(), ending.clone());
                    connections.spawn(async move {
                        let _place = place;
                        converse(stream, peer, router, bounds, ending).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::select! { () = sleep(AFTER_REFUSAL) => {}, () = ending.cancelled() => break }
                }
            },
            Some(ended) = connections.join_next() => unless_well(ended),
            () = ending.cancelled() => break,
        }
    }
    drop(listener);
    let drained = timeout(DRAIN, async {
        while let Some(ended) = connections.join_next().await {
            unless_well(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(connections = connections.len(), "clients that took too long were cut off");
    }
    Ok(())
}

/// The panic itself is in the log.
fn unless_well(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(panicked = error.is_panic(), "a connection ended badly");
    }
}

/// Answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    bounds: Bounds,
    ending: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it began");
        return;
    }
    let service = Extension(ConnectInfo(peer)).layer(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_header_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async { tokio::select! { () = ending.cancelled() => {}, () = sleep(bounds.connection) => {} } } => {
            connection.as_mut().graceful_shutdown();
            match timeout(bounds.connection, connection).await {
                Ok(result) => result,
                Err(_) => return tracing::debug!("a client did not take its answer and was cut off"),
            }
        }
    };
    // Clients that send nonsense, stall or go away are everyday; what hyper says of it holds nothing of the request.
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke");
    }
}
