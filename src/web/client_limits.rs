//! What the listeners remember of their clients. It outlives a configuration, so that a reload resets no limit.

use super::peer_connections::PeerConnections;
use super::rate_limit::Quotas;
use super::serve::ServerLimits;
use super::wrong_passwords::WrongPasswords;
use crate::base::clock::Clock;
use crate::base::config::Links;
use std::num::NonZeroU32;
use std::sync::Arc;

/// Cheap to clone. Clones share what they remember.
#[derive(Clone)]
pub(crate) struct ClientLimits {
    clock: Clock,
    requests_per_minute: u32,
    /// `None`: no limit.
    pub(super) quotas: Option<Arc<Quotas>>,
    pub(crate) wrong_hook_passwords: Arc<WrongPasswords>,
    pub(crate) wrong_signatures: Arc<WrongPasswords>,
    pub(crate) wrong_tokens: Arc<WrongPasswords>,
    /// Of the public listener.
    pub(crate) peers: PeerConnections,
}

impl ClientLimits {
    pub(crate) fn new(links: &Links, clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            requests_per_minute: links.requests_per_minute,
            quotas: quotas(links, clock),
            wrong_hook_passwords: Arc::new(WrongPasswords::new(clock)),
            wrong_signatures: Arc::new(WrongPasswords::new(clock)),
            wrong_tokens: Arc::new(WrongPasswords::new(clock)),
            peers: PeerConnections::new(max_per_peer(links)),
        }
    }

    /// Those of another configuration. Clients keep their used quota unless the limit is another one.
    #[must_use]
    pub(crate) fn changed_to(&self, links: &Links) -> Self {
        let mut changed = self.clone();
        if links.requests_per_minute != self.requests_per_minute {
            changed.requests_per_minute = links.requests_per_minute;
            changed.quotas = quotas(links, &self.clock);
        }
        changed
    }

    /// Applies what the open listener must know.
    pub(crate) fn limit_peers(&self, links: &Links) {
        self.peers.limit_to(max_per_peer(links));
    }
}

fn quotas(links: &Links, clock: &Clock) -> Option<Arc<Quotas>> {
    let requests = NonZeroU32::new(links.requests_per_minute)?;
    Some(Arc::new(Quotas::new(requests, clock)))
}

/// Behind proxies, all connections are theirs.
fn max_per_peer(links: &Links) -> usize {
    let limits =
        if links.trusted_proxies == 0 { ServerLimits::without_proxy() } else { ServerLimits::default() };
    limits.max_per_peer()
}
