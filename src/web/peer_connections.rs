//! The open connections: each peer address has only some of them, and when there are too many, one whose client is waited
//! for gives way.

use super::client_turn::ClientTurn;
use super::rate_limit_key::RateLimitKey;
use axum::http::HeaderMap;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
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
    turn: Arc<ClientTurn>,
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

    /// If the peer has too many, closes its oldest connection without a request, or the one whose client has been waited
    /// for the longest, and for at least `patience`. `None` when there is none: then the new one must be closed.
    pub(super) fn accept(&self, peer: SocketAddr, patience: Duration) -> Option<PeerConnection> {
        let peer = RateLimitKey::new(peer, &HeaderMap::new(), 0);
        let mut peers = self.lock();
        let connections = peers.entry(peer).or_default();
        if connections.len() >= self.max_per_peer.load(Ordering::Relaxed) {
            let silent = connections.iter().find(|one| !one.turn.has_request());
            let gives_way = silent.or_else(|| longest_waited_for(&*connections, patience))?.clone();
            connections.retain(|one| !Arc::ptr_eq(one, &gives_way));
            gives_way.closed.cancel();
        }
        let connection = Arc::<Connection>::default();
        connections.push_back(connection.clone());
        drop(peers);
        Some(PeerConnection { peers: self.clone(), peer, connection })
    }

    /// Of all connections, closes the one whose client has been waited for the longest, if for at least `patience`.
    pub(super) fn make_room(&self, patience: Duration) {
        let peers = self.lock();
        if let Some(connection) = longest_waited_for(peers.values().flatten(), patience) {
            connection.closed.cancel();
        }
    }
}

fn longest_waited_for<'a>(
    connections: impl IntoIterator<Item = &'a Arc<Connection>>,
    patience: Duration,
) -> Option<&'a Arc<Connection>> {
    let now = Instant::now();
    let waited_for = connections
        .into_iter()
        .filter(|one| !one.closed.is_cancelled())
        .filter_map(|one| Some((one.turn.waited_since()?, one)))
        .filter(|(since, _)| now.duration_since(*since) >= patience);
    waited_for.min_by_key(|(since, _)| *since).map(|(_, one)| one)
}

impl PeerConnection {
    /// Follows whom the connection waits for.
    pub(super) fn turn(&self) -> Arc<ClientTurn> {
        self.connection.turn.clone()
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

    const NO_PATIENCE: Duration = Duration::ZERO;
    const PATIENCE: Duration = Duration::from_secs(3_600);

    fn is_closed(one: &PeerConnection) -> bool {
        one.connection.closed.is_cancelled()
    }

    /// Its request is being worked on.
    fn works(one: &PeerConnection) {
        one.turn().begin_work();
    }

    #[test]
    fn the_oldest_silent_connection_of_a_peer_makes_room_and_other_peers_are_unaffected() {
        let peers = PeerConnections::new(2);
        let accept = |address: &str| peers.accept(address.parse().unwrap(), NO_PATIENCE);
        let [busy, silent] = ["192.0.2.1:1", "192.0.2.1:2"].map(|address| accept(address).unwrap());
        works(&busy);
        let other = accept("192.0.2.2:1").unwrap();
        let third = accept("192.0.2.1:3").unwrap();
        assert_eq!([&busy, &silent, &other, &third].map(is_closed), [false, true, false, false]);
        works(&third);
        assert!(accept("192.0.2.1:4").is_none(), "all have requests");
        peers.limit_to(4);
        let fourth = accept("192.0.2.1:4").unwrap();
        peers.limit_to(2);
        drop((busy, silent, fourth));
        assert!(accept("192.0.2.1:5").is_some());
        drop((third, other));
        assert!(peers.lock().is_empty());
    }

    #[test]
    fn of_a_peer_that_has_asked_on_all_its_connections_the_one_that_reads_the_longest_makes_room() {
        let peers = PeerConnections::new(3);
        let accept = |port: u16, patience| peers.accept(([192, 0, 2, 1], port).into(), patience);
        let [works_on, slow, slower] = [1, 2, 3].map(|port| accept(port, NO_PATIENCE).unwrap());
        for one in [&works_on, &slow, &slower] {
            works(one);
        }
        for one in [&slower, &slow] {
            one.turn().on_response();
        }
        assert!(accept(4, PATIENCE).is_none(), "nobody is waited for long");
        let next = accept(4, NO_PATIENCE).unwrap();
        assert_eq!([&works_on, &slow, &slower, &next].map(is_closed), [false, false, true, false]);
    }

    #[test]
    fn of_all_peers_the_client_that_has_been_waited_for_the_longest_makes_room() {
        let peers = PeerConnections::new(9);
        let accept = |host: u8| peers.accept(([192, 0, 2, host], 1).into(), NO_PATIENCE).unwrap();
        let [works_on, old, new] = [1, 2, 3].map(accept);
        works(&works_on);
        peers.make_room(PATIENCE);
        assert_eq!([&works_on, &old, &new].map(is_closed), [false; 3]);
        peers.make_room(NO_PATIENCE);
        assert_eq!([&works_on, &old, &new].map(is_closed), [false, true, false]);
        peers.make_room(NO_PATIENCE);
        peers.make_room(NO_PATIENCE);
        assert_eq!([&works_on, &old, &new].map(is_closed), [false, true, true]);
    }
}
