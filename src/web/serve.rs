//! Serves a listener, with limits on the time, bytes and connections of its clients.

use super::descriptors;
use super::peer_connections::{PeerConnection, PeerConnections};
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
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower::util::{MapFutureLayer, MapRequestLayer};
use tower_http::timeout::RequestBodyDeadlineLayer;

/// How long a shutdown waits for requests in progress. It closes idle connections at once.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failed `accept`, for example when the process has no file descriptors left.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(500);
/// Ten times what a browser sends.
const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;
/// A million members take some minutes.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// How often a client that waits for a place looks for one.
const LOOK: Duration = Duration::from_millis(100);
/// An office or a mobile network can share one address.
const MAX_PER_PEER: usize = 64;

#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// For sending a request's headers. Also closes idle connections.
    pub(crate) header_timeout: Duration,
    /// For sending a request's whole body.
    pub(crate) body_timeout: Duration,
    /// For all requests of a connection. The request in progress then becomes the last one.
    pub(crate) connection_timeout: Duration,
    /// For the last request: until the client has read the response.
    pub(crate) response_timeout: Duration,
    /// Further clients wait in the system's backlog, until another one has to make room. Fewer when the process may not
    /// open as many files.
    pub(crate) max_connections: usize,
    /// While others wait for a place, a client that is waited for longer has to make room.
    pub(crate) patience: Duration,
    /// For one peer address. `None`: no limit, as for the operator's own proxies.
    pub(crate) max_per_peer: Option<usize>,
}

impl ServerLimits {
    /// The limits of a listener that clients reach without a proxy.
    pub(crate) fn without_proxy() -> Self {
        Self { max_per_peer: Some(MAX_PER_PEER), ..Self::default() }
    }

    pub(super) fn max_per_peer(self) -> usize {
        self.max_per_peer.unwrap_or(usize::MAX)
    }

    /// The limits of a listener that receives imports, whose bodies are read as fast as the database takes them.
    pub(crate) fn with_imports() -> Self {
        Self { body_timeout: IMPORT_TIMEOUT, response_timeout: IMPORT_TIMEOUT, ..Self::default() }
    }
}

impl Default for ServerLimits {
    /// Far more than browsers and proxies need. A press can wait for several gateway timeouts.
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(20),
            connection_timeout: Duration::from_secs(5 * 60),
            response_timeout: Duration::from_secs(5 * 60),
            max_connections: 1024,
            patience: Duration::from_secs(2),
            max_per_peer: None,
        }
    }
}

/// Serves `router` until `shutdown` is cancelled and the requests in progress are finished.
///
/// # Errors
/// Never, at present: after a failed `accept` the server waits and tries again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    serve_peers(listener, router, limits, PeerConnections::new(limits.max_per_peer()), shutdown).await
}

/// Like [`serve`], with a limit of each peer that can change.
///
/// # Errors
/// As [`serve`].
pub(crate) async fn serve_peers(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    peers: PeerConnections,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let router = router.layer(RequestBodyDeadlineLayer::new(limits.body_timeout));
    let permits = Arc::new(Semaphore::new(descriptors::places(limits.max_connections)));
    let mut connections = JoinSet::new();
    // Accepted, without a place yet.
    let mut next = None;
    loop {
        tokio::select! {
            accepted = listener.accept(), if next.is_none() => match accepted {
                Ok((stream, peer)) => match peers.accept(peer, limits.patience) {
                    Some(place) => next = Some((stream, peer, place)),
                    None => tracing::debug!("closed a connection: its address has too many"),
                },
                Err(error) => {
                    tracing::warn!(event = "connection_not_accepted", %error, "cannot accept a connection");
                    peers.make_room(limits.patience);
                    tokio::select! { () = sleep(ACCEPT_BACKOFF) => {}, () = shutdown.cancelled() => break }
                }
            },
            permit = permit(&permits, &peers, limits.patience), if next.is_some() => {
                let Some((stream, peer, place)) = next.take() else { continue };
                let (router, shutdown) = (router.clone(), shutdown.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    tokio::select! {
                        () = serve_connection(stream, peer, &place, router, limits, shutdown) => {}
                        () = place.closed() => {}
                    }
                });
            }
            Some(joined) = connections.join_next() => log_join_error(joined),
            () = shutdown.cancelled() => break,
        }
    }
    drop(next);
    drop(listener);
    let drained = timeout(DRAIN_TIMEOUT, async {
        while let Some(joined) = connections.join_next().await {
            log_join_error(joined);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(
            event = "connections_closed",
            connections = connections.len(),
            "closed connections that did not finish in time"
        );
    }
    Ok(())
}

/// Waits for one of the places. When all are taken, the client that is waited for the longest has to make room.
async fn permit(
    permits: &Arc<Semaphore>,
    peers: &PeerConnections,
    patience: Duration,
) -> Result<OwnedSemaphorePermit, AcquireError> {
    if let Ok(permit) = permits.clone().try_acquire_owned() {
        return Ok(permit);
    }
    loop {
        peers.make_room(patience);
        if let Ok(permit) = timeout(LOOK, permits.clone().acquire_owned()).await {
            return permit;
        }
    }
}

/// The panic hook has logged the panic itself.
fn log_join_error(joined: Result<(), JoinError>) {
    if let Err(error) = joined {
        tracing::error!(
            event = "connection_task_failed",
            panicked = error.is_panic(),
            "a connection task failed"
        );
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    place: &PeerConnection,
    router: Router,
    limits: ServerLimits,
    shutdown: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the client closed the connection");
        return;
    }
    let (turn, at_response) = (place.turn(), place.turn());
    let follow_request = MapRequestLayer::new(move |request| turn.on_request(request));
    let follow_response = MapFutureLayer::new(move |response| {
        let turn = at_response.clone();
        async move {
            let response = response.await;
            turn.on_response();
            response
        }
    });
    let service = follow_request.layer(follow_response.layer(Extension(ConnectInfo(peer)).layer(router)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async {
            tokio::select! { () = shutdown.cancelled() => {}, () = sleep(limits.connection_timeout) => {} }
        } => {
            connection.as_mut().graceful_shutdown();
            match timeout(limits.response_timeout, connection).await {
                Ok(result) => result,
                Err(_) => return tracing::debug!("the client did not read its response in time"),
            }
        }
    };
    // Normal on the open internet. hyper's error text contains nothing of the request.
    if let Err(error) = result {
        tracing::debug!(%error, "the connection failed");
    }
}

#[cfg(test)]
mod tests;
