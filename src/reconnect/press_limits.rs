//! Limits the gateway calls that one link can cause: one press at a time, and a budget.

use crate::base::clock::Clock;
use crate::domain::TokenHash;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// Presses that a fresh link allows without a wait.
const BURST: u32 = 10;
/// One more press is allowed after this time.
const REFILL: Duration = Duration::from_secs(60);
/// Idle links are forgotten when the map reaches this size.
const MAX_IDLE: usize = 10_000;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct PressLimits {
    links: Arc<Mutex<HashMap<TokenHash, LinkPresses>>>,
    clock: Clock,
}

struct LinkPresses {
    in_flight: Arc<tokio::sync::Mutex<()>>,
    /// When the budget will be full again, by the monotonic clock.
    full_at: Duration,
}

impl PressLimits {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { links: Arc::default(), clock }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, LinkPresses>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the press in flight. An unknown link takes memory only until the idle links are forgotten.
    pub(super) async fn enter(&self, link: TokenHash) -> OwnedMutexGuard<()> {
        let in_flight = {
            let (now, mut links) = (self.clock.monotonic(), self.lock());
            if links.len() >= MAX_IDLE {
                links.retain(|_, presses| presses.full_at > now || Arc::strong_count(&presses.in_flight) > 1);
            }
            let new = || LinkPresses { in_flight: Arc::default(), full_at: Duration::ZERO };
            links.entry(link).or_insert_with(new).in_flight.clone()
        };
        in_flight.lock_owned().await
    }

    /// Takes one press from the link's budget.
    ///
    /// # Errors
    /// The time until the next press is allowed.
    pub(super) fn take(&self, link: TokenHash) -> Result<(), Duration> {
        let (now, mut links) = (self.clock.monotonic(), self.lock());
        let Some(presses) = links.get_mut(&link) else { return Ok(()) };
        let full_at = presses.full_at.max(now) + REFILL;
        match (full_at - now).checked_sub(REFILL * BURST) {
            None | Some(Duration::ZERO) => {
                presses.full_at = full_at;
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use chrono::TimeDelta;

    const LINK: TokenHash = TokenHash([1; 32]);

    fn limits() -> (PressLimits, ManualClock) {
        let clock = ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap());
        (PressLimits::new(Clock::Manual(clock.clone())), clock)
    }

    #[tokio::test]
    async fn a_link_allows_ten_presses_and_then_one_a_minute() {
        let (limits, clock) = limits();
        drop(limits.enter(LINK).await);
        let allowed = || (0..100).take_while(|_| limits.take(LINK).is_ok()).count();
        assert_eq!(allowed(), 10);
        assert_eq!(limits.take(LINK), Err(REFILL));
        clock.advance(TimeDelta::minutes(1));
        assert_eq!(allowed(), 1);
        clock.advance(TimeDelta::hours(1));
        assert_eq!(allowed(), 10);
    }

    #[tokio::test]
    async fn a_press_waits_for_the_one_in_flight_at_its_own_link_only() {
        let (limits, _) = limits();
        let first = limits.enter(LINK).await;
        let second = tokio::spawn({
            let limits = limits.clone();
            async move { limits.enter(LINK).await }
        });
        limits.enter(TokenHash([2; 32])).await;
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn idle_links_are_forgotten() {
        let (limits, clock) = limits();
        fill(&limits).await;
        clock.advance(TimeDelta::minutes(1));
        drop(limits.enter(TokenHash([255; 32])).await);
        assert_eq!(limits.lock().len(), 1);
    }

    #[tokio::test]
    async fn a_link_whose_press_is_in_flight_or_whose_budget_is_not_full_is_not_forgotten() {
        let (limits, _) = limits();
        let (pressing, pressed) = (TokenHash([253; 32]), TokenHash([254; 32]));
        let _in_flight = limits.enter(pressing).await;
        drop(limits.enter(pressed).await);
        limits.take(pressed).unwrap();
        fill(&limits).await;
        drop(limits.enter(TokenHash([255; 32])).await);
        let links = limits.lock();
        assert!(links.contains_key(&pressing) && links.contains_key(&pressed));
        assert!(links.len() < MAX_IDLE, "the idle ones are");
    }

    /// Makes the map so large that the next link forgets the idle ones.
    async fn fill(limits: &PressLimits) {
        for n in 0_usize.. {
            if limits.lock().len() >= MAX_IDLE {
                return;
            }
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            drop(limits.enter(TokenHash(hash)).await);
        }
    }
}
