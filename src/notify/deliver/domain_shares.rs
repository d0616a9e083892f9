//! Shares the connections to the mail server among recipient domains, so that a slow domain does not hold up the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The deliveries under way, by recipient domain. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DomainShares {
    under_way: Arc<Mutex<HashMap<String, usize>>>,
    /// Only one delivery at a time chooses its notice, so that each sees the others' choice.
    pub(super) choosing: Arc<tokio::sync::Mutex<()>>,
    connections: usize,
}

/// One delivery under way.
pub(super) struct Share {
    shares: DomainShares,
    domain: String,
}

impl DomainShares {
    pub(crate) fn new(connections: usize) -> Self {
        Self { under_way: Arc::default(), choosing: Arc::default(), connections }
    }

    /// The domains that hold a quarter of the connections. They come last.
    pub(super) fn at_quarter(&self) -> Vec<String> {
        self.at_least((self.connections / 4).max(1))
    }

    /// The domains that hold half of the connections. They wait.
    pub(super) fn at_half(&self) -> Vec<String> {
        self.at_least((self.connections / 2).max(1))
    }

    fn at_least(&self, limit: usize) -> Vec<String> {
        let under_way = self.lock();
        under_way.iter().filter(|(_, count)| **count >= limit).map(|(domain, _)| domain.clone()).collect()
    }

    pub(super) fn begin(&self, domain: String) -> Share {
        *self.lock().entry(domain.clone()).or_default() += 1;
        Share { shares: self.clone(), domain }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut under_way = self.shares.lock();
        if let Some(count) = under_way.get_mut(&self.domain) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.domain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_comes_last_at_a_quarter_of_the_connections_and_waits_at_half() {
        let shares = DomainShares::new(8);
        let mut under_way = vec![shares.begin("a.example".into()), shares.begin("b.example".into())];
        assert!(shares.at_quarter().is_empty());
        under_way.push(shares.begin("a.example".into()));
        assert_eq!((shares.at_quarter(), shares.at_half()), (vec!["a.example".to_owned()], vec![]));
        under_way.extend([shares.begin("a.example".into()), shares.begin("a.example".into())]);
        assert_eq!(shares.at_half(), ["a.example"]);
        drop(under_way);
        assert!(shares.at_quarter().is_empty());
    }

    #[test]
    fn one_connection_serves_every_domain_in_turn() {
        let shares = DomainShares::new(1);
        assert!(shares.at_half().is_empty());
        let _share = shares.begin("a.example".into());
        assert_eq!(shares.at_half(), ["a.example"]);
    }
}
