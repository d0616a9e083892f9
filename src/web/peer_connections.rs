//! Limits the connections of each peer address, so that one address cannot take all of them.

use super::rate_limit_key::RateLimitKey;
use axum::http::HeaderMap;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

type Peers = HashMap<RateLimitKey, VecDeque<Arc<Connection>>>;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct PeerConnections {
    peers: Arc<Mutex<Peers>>,
    max_per_peer: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Connection {
    has_request: AtomicBool,
    closed: CancellationToken,
}

/// One open connection. Dropping it makes room for another one.
pub(super) struct PeerConnection {
    peers: PeerConnections,
    peer: RateLimitKey,
    connection: Arc<Connection>,
}

impl PeerConnections {
    pub(super) fn new(max_per_peer: usize) -> Self {
        Self { peers: Arc::default(), max_per_peer: Arc::new(AtomicUsize::new(max_per_peer)) }
    }

    /// Changes the limit of the next connections.
    pub(super) fn limit_to(&self, max_per_peer: usize) {
        self.max_per_peer.store(max_per_peer, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the oldest connection of the peer without a request if there are too many. `None` when all of them have
    /// requests: then the new one must be closed.
    pub(super) fn accept(&self, peer: SocketAddr) -> Option<PeerConnection> {
        let peer = RateLimitKey::new(peer, &HeaderMap::new(), 0);
        let mut peers = self.lock();
        let connections = peers.entry(peer).or_default();
        if connections.len() >= self.max_per_peer.load(Ordering::Relaxed) {
            let is_silent = |one: &Arc<Connection>| !one.has_request.load(Ordering::Relaxed);
            let oldest = connections.iter().position(is_silent)?;
            if let Some(connection) = connections.remove(oldest) {
                connection.closed.cancel();
            }
        }
        let connection = Arc::<Connection>::default();
        connections.push_back(connection.clone());
        drop(peers);
        Some(PeerConnection { peers: self.clone(), peer, connection })
    }
}

impl PeerConnection {
    /// Marks the connection as one with a request.
    pub(super) fn on_request(&self) -> impl Fn() + Clone + Send + Sync + use<> {
        let connection = self.connection.clone();
        move || connection.has_request.store(true, Ordering::Relaxed)
    }

    /// Completes when the connection must be closed.
    pub(super) async fn closed(&self) {
        self.connection.closed.cancelled().await;
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        let mut peers = self.peers.lock();
        if let Some(connections) = peers.get_mut(&self.peer) {
            connections.retain(|one| !Arc::ptr_eq(one, &self.connection));
            if connections.is_empty() {
                peers.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_silent_connection_of_a_peer_makes_room_and_other_peers_are_unaffected() {
        let peers = PeerConnections::new(2);
        let accept = |address: &str| peers.accept(address.parse().unwrap());
        let is_closed = |one: &PeerConnection| one.connection.closed.is_cancelled();
        let [busy, silent] = ["192.0.2.1:1", "192.0.2.1:2"].map(|address| accept(address).unwrap());
        busy.on_request()();
        let other = accept("192.0.2.2:1").unwrap();
        let third = accept("192.0.2.1:3").unwrap();
        assert_eq!([&busy, &silent, &other, &third].map(is_closed), [false, true, false, false]);
        third.on_request()();
        assert!(accept("192.0.2.1:4").is_none(), "all have requests");
        peers.limit_to(4);
        let fourth = accept("192.0.2.1:4").unwrap();
        peers.limit_to(2);
        drop((busy, silent, fourth));
        assert!(accept("192.0.2.1:5").is_some());
        drop((third, other));
        assert!(peers.lock().is_empty());
    }
}
