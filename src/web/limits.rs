//! How much one client address may ask.

use super::client::Client;
use crate::base::clock::Clock;
use governor::clock::Clock as Reads;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

/// New mails that one address can ask for in an hour: an office may share it.
const RESENDS_AN_HOUR: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// A press costs the gateway a request: this part of the requests may be presses.
const PRESSES: u32 = 4;
/// Mail providers send everyone's one-click requests from a few addresses: so many times the requests.
const ONE_CLICKS: u32 = 20;

/// What is asked, as limits see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A page.
    Look,
    /// A press of a button, which the gateway is asked for.
    Press,
    /// Another mail.
    Resend,
    /// A request of a mail provider's to stop the mails.
    OneClick,
}

/// The budgets of every client address.
#[derive(Debug)]
pub(super) struct Limits {
    requests: Budget,
    presses: Budget,
    resends: Budget,
    one_clicks: Budget,
}

impl Limits {
    /// `requests_per_minute` for all that one address asks.
    pub(super) fn new(requests_per_minute: NonZeroU32, clock: &Clock) -> Self {
        let a_minute = Quota::per_minute;
        let presses = NonZeroU32::new(requests_per_minute.get() / PRESSES).unwrap_or(NonZeroU32::MIN);
        let one_clicks = requests_per_minute.saturating_mul(NonZeroU32::MIN.saturating_add(ONE_CLICKS - 1));
        Self {
            requests: Budget::new("requests", a_minute(requests_per_minute), clock),
            presses: Budget::new("presses", a_minute(presses), clock),
            resends: Budget::new("resends", Quota::per_hour(RESENDS_AN_HOUR), clock),
            one_clicks: Budget::new("one_clicks", a_minute(one_clicks), clock),
        }
    }

    /// Takes what is asked from the client's budgets.
    ///
    /// # Errors
    /// When one is used up.
    pub(super) fn take(&self, client: Client, ask: Ask) -> Result<(), TooMany> {
        let budgets: &[&Budget] = match ask {
            Ask::Look => &[&self.requests],
            Ask::Press => &[&self.requests, &self.presses],
            Ask::Resend => &[&self.requests, &self.resends],
            Ask::OneClick => &[&self.one_clicks],
        };
        budgets.iter().try_for_each(|budget| budget.take(client))
    }
}

/// A budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    /// Which.
    pub(super) limit: &'static str,
    /// When there is something in it again.
    pub(super) wait: Duration,
}

#[derive(Debug)]
struct Budget {
    name: &'static str,
    clock: Ticks,
    places: RandomState,
    limiter: RateLimiter<Place, HashMapStateStore<Place>, Ticks, NoOpMiddleware<Nanos>>,
}

/// Addresses are spread over so many places, by a hash that nobody outside can foresee. Two that fall together share
/// a budget, which is rare; in return no number of addresses takes more memory.
type Place = u16;

impl Budget {
    fn new(name: &'static str, quota: Quota, clock: &Clock) -> Self {
        let clock = Ticks(clock.clone());
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Self { name, clock, places: RandomState::new(), limiter }
    }

    fn take(&self, client: Client) -> Result<(), TooMany> {
        let place = self.places.hash_one(client) as Place;
        self.limiter
            .check_key(&place)
            .map_err(|until| TooMany { limit: self.name, wait: until.wait_time_from(self.clock.now()) })
    }
}

/// The clock, as the limiter reads it. Monotonic: after the wall clock was set back, no client waits until it catches up.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl Reads for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.monotonic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use axum::http::HeaderMap;
    use chrono::TimeDelta;
    use std::net::{IpAddr, SocketAddr};

    fn client(address: impl Into<IpAddr>) -> Client {
        Client::of(SocketAddr::new(address.into(), 1), &HeaderMap::new(), 0)
    }

    fn limits(requests_per_minute: u32) -> (Limits, ManualClock) {
        let clock = ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap());
        let requests_per_minute = NonZeroU32::new(requests_per_minute).unwrap();
        (Limits::new(requests_per_minute, &Clock::Manual(clock.clone())), clock)
    }

    fn taken(limits: &Limits, client: Client, ask: Ask) -> u32 {
        (0..100_000).find(|_| limits.take(client, ask).is_err()).unwrap()
    }

    #[test]
    fn a_client_asks_so_often_a_minute_and_then_waits_for_its_turn() {
        let (limits, clock) = limits(60);
        let one = client([198, 51, 100, 7]);
        assert_eq!(taken(&limits, one, Ask::Look), 60);
        let TooMany { limit, wait } = limits.take(one, Ask::Look).unwrap_err();
        assert_eq!((limit, wait), ("requests", Duration::from_secs(1)));
        clock.advance(TimeDelta::seconds(10));
        assert_eq!(taken(&limits, one, Ask::Look), 10);
        clock.advance(TimeDelta::minutes(10));
        assert_eq!(taken(&limits, one, Ask::Look), 60);
    }

    #[test]
    fn presses_and_resends_have_budgets_of_their_own_and_one_click_is_the_widest() {
        let (limits, clock) = limits(120);
        let one = client([198, 51, 100, 7]);
        assert_eq!(taken(&limits, one, Ask::Press), 30);
        assert_eq!(limits.take(one, Ask::Look), Ok(()), "who pressed too often may still look");
        assert_eq!(taken(&limits, one, Ask::Resend), 20);
        assert_eq!(taken(&limits, one, Ask::OneClick), 2400);
        clock.advance(TimeDelta::minutes(1));
        assert_eq!(taken(&limits, one, Ask::Press), 30);
        assert_eq!(taken(&limits, one, Ask::Resend), 0);
        clock.advance(TimeDelta::hours(1));
        assert_eq!(taken(&limits, one, Ask::Resend), 20);
    }

    #[test]
    fn a_wall_clock_that_is_set_changes_no_budget() {
        let (limits, clock) = limits(60);
        let one = client([198, 51, 100, 7]);
        assert_eq!(taken(&limits, one, Ask::Look), 60);
        clock.set("2027-03-02T09:00:00Z".parse().unwrap());
        assert_eq!(taken(&limits, one, Ask::Look), 0);
        clock.set("2026-03-02T09:00:00Z".parse().unwrap());
        clock.advance(TimeDelta::seconds(10));
        assert_eq!(taken(&limits, one, Ask::Look), 10);
    }

    #[test]
    fn one_client_takes_nothing_from_another() {
        let (limits, _) = limits(60);
        taken(&limits, client([198, 51, 100, 7]), Ask::Press);
        let others = (0..=255).filter(|n| taken(&limits, client([203, 0, 113, *n]), Ask::Press) == 15);
        assert!(others.count() > 200, "all but the few that fall together");
    }

    #[test]
    fn any_number_of_addresses_takes_bounded_memory() {
        let (limits, _) = limits(60);
        for n in 0..300_000_u32 {
            let _ = limits.take(client(n.to_be_bytes()), Ask::Look);
        }
        assert!(limits.requests.limiter.len() <= 1 << 16);
    }
}
