//! Limits the wrong passwords of each client.

use super::rate_limit_key::RateLimitKey;
use crate::base::clock::Clock;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const PER_MINUTE: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// From this many clients on, those without a wrong password in the last minute are forgotten.
const MANY_CLIENTS: usize = 1024;

/// A keyed hash of the client, so that memory use has a limit.
type Bucket = u16;

/// The last wrong passwords of each client. A right one is none of its business.
#[derive(Debug)]
pub(crate) struct WrongPasswords {
    clock: Clock,
    hasher: RandomState,
    /// When, by the monotonic clock.
    recent: Mutex<HashMap<Bucket, VecDeque<Duration>>>,
}

impl WrongPasswords {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), hasher: RandomState::new(), recent: Mutex::default() }
    }

    /// Counts one.
    ///
    /// # Errors
    /// From the eleventh in a minute: how long until the next one is counted.
    pub(super) fn count(&self, client: RateLimitKey) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        let is_recent = |at: &Duration| now.saturating_sub(*at) < MINUTE;
        let mut all = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY_CLIENTS {
            all.retain(|_, times| times.back().is_some_and(is_recent));
        }
        let times = all.entry(self.hasher.hash_one(client) as Bucket).or_default();
        while times.front().is_some_and(|at| !is_recent(at)) {
            times.pop_front();
        }
        match times.front() {
            Some(oldest) if times.len() >= PER_MINUTE => Err((*oldest + MINUTE).saturating_sub(now)),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use axum::http::HeaderMap;
    use chrono::TimeDelta;

    fn client(address: &str) -> RateLimitKey {
        RateLimitKey::new(format!("{address}:4711").parse().unwrap(), &HeaderMap::new(), 0)
    }

    #[test]
    fn the_eleventh_wrong_password_of_a_client_in_a_minute_is_one_too_many() {
        let clock = ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap());
        let wrong = WrongPasswords::new(&Clock::Manual(clock.clone()));
        for _ in 0..10 {
            assert_eq!(wrong.count(client("192.0.2.1")), Ok(()));
            clock.advance(TimeDelta::seconds(4));
        }
        assert_eq!(wrong.count(client("192.0.2.1")), Err(Duration::from_secs(20)));
        assert_eq!(wrong.count(client("192.0.2.2")), Ok(()), "another client");
        clock.advance(TimeDelta::seconds(20));
        assert_eq!(wrong.count(client("192.0.2.1")), Ok(()), "the first one is a minute old");
        assert_eq!(wrong.count(client("192.0.2.1")), Err(Duration::from_secs(4)));
    }

    #[test]
    fn clients_without_a_recent_wrong_password_are_forgotten() {
        let clock = ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap());
        let wrong = WrongPasswords::new(&Clock::Manual(clock.clone()));
        for number in 0..4096_u32 {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string();
            wrong.count(client(&address)).unwrap();
        }
        clock.advance(TimeDelta::minutes(2));
        wrong.count(client("192.0.2.1")).unwrap();
        assert_eq!(wrong.recent.lock().unwrap().len(), 1);
    }
}
