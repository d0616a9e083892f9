//! Shares the deliveries under way among recipient domains, so that a slow domain does not hold up the others.

use crate::store::{ClaimLimits, Crowded};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The deliveries under way, by recipient domain. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DomainShares {
    under_way: Arc<Mutex<HashMap<String, usize>>>,
    /// Only one claim at a time, so that each sees the deliveries of the others.
    pub(super) claiming: Arc<tokio::sync::Mutex<()>>,
    max_under_way: usize,
    crowded: Crowded,
}

/// One delivery under way.
pub(super) struct Share {
    shares: DomainShares,
    domain: String,
}

impl DomainShares {
    pub(crate) fn new(max_under_way: usize) -> Self {
        Self {
            under_way: Arc::default(),
            claiming: Arc::default(),
            max_under_way,
            crowded: Crowded::default(),
        }
    }

    /// With another maximum, and the same deliveries.
    #[must_use]
    pub(crate) fn resized(&self, max_under_way: usize) -> Self {
        Self { max_under_way, ..self.clone() }
    }

    /// A domain with a quarter of the deliveries comes last. One with half of them waits.
    pub(super) fn limits(&self, slots: usize) -> ClaimLimits {
        ClaimLimits {
            slots,
            under_way: self.lock().clone(),
            last_at: (self.max_under_way / 4).max(1),
            full_at: (self.max_under_way / 2).max(1),
            crowded: self.crowded.clone(),
        }
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
    fn a_domain_comes_last_at_a_quarter_of_the_deliveries_and_waits_at_half() {
        let shares = DomainShares::new(8);
        let [one, other] = ["a.example", "a.example"].map(|domain| shares.begin(domain.to_owned()));
        let limits = shares.limits(5);
        assert_eq!((limits.slots, limits.last_at, limits.full_at), (5, 2, 4));
        assert_eq!(limits.under_way, HashMap::from([("a.example".to_owned(), 2)]));
        drop(one);
        assert_eq!(shares.limits(5).under_way, HashMap::from([("a.example".to_owned(), 1)]));
        drop(other);
        assert!(shares.limits(5).under_way.is_empty());
    }

    #[test]
    fn a_single_delivery_serves_every_domain_in_turn() {
        let limits = DomainShares::new(1).limits(1);
        assert_eq!((limits.last_at, limits.full_at), (1, 1));
    }
}
