//! Limits the requests of each client to the member pages.

use super::rate_limit_key::{RateLimitKey, is_forwarded};
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use governor::RateLimiter;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Once};
use std::time::Duration;

/// An office can share one address.
const RESENDS_PER_HOUR: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// A press costs a gateway request, so presses get only one request in four.
const PRESS_DIVISOR: u32 = 4;
/// How many times a client's quota its /64, its /56, and its /48 network may use.
const NETWORK_FACTORS: [NonZeroU32; 3] =
    [NonZeroU32::MIN, NonZeroU32::new(4).unwrap(), NonZeroU32::new(16).unwrap()];
/// Email providers send everyone's one-click requests from few addresses, so these get twenty times the requests.
const ONE_CLICK_FACTOR: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// The state of [`limit_rate`]. Cheap to clone.
#[derive(Clone)]
pub(super) struct RateLimit {
    quotas: Option<Arc<Quotas>>,
    trusted_proxies: usize,
    rejection: Arc<dyn Fn(&HeaderMap) -> Response + Send + Sync>,
}

impl RateLimit {
    /// `quotas` are per client; `None` means no limit. `rejection` builds the response to a request above it.
    pub(super) fn new(
        quotas: Option<Arc<Quotas>>,
        trusted_proxies: usize,
        rejection: impl Fn(&HeaderMap) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self { quotas, trusted_proxies, rejection: Arc::new(rejection) }
    }

    fn check(&self, peer: SocketAddr, request: &Request) -> Result<(), RateLimited> {
        let Some(quotas) = &self.quotas else { return Ok(()) };
        if self.trusted_proxies == 0 && is_forwarded(request.headers()) {
            warn_of_untrusted_proxy();
        }
        let key = RateLimitKey::new(peer, request.headers(), self.trusted_proxies);
        quotas.check(key, RequestClass::of(request))
    }
}

/// Middleware: rejects a request above the client's quotas.
pub(super) async fn limit_rate(
    State(limit): State<RateLimit>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let Err(RateLimited { quota, retry_after }) = limit.check(peer, &request) else {
        return next.run(request).await;
    };
    metrics::count_rate_limited_request(quota);
    let mut response = (limit.rejection)(request.headers());
    let seconds = retry_after.as_millis().div_ceil(1000).max(1);
    if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    // Closing frees the client's place among the listener's connections.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn warn_of_untrusted_proxy() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            event = "untrusted_proxy",
            "requests come through an untrusted proxy, so all clients behind it share one rate limit; set \
            links.trusted_proxies to the number of your own proxies"
        );
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestClass {
    View,
    /// Costs a gateway request.
    Press,
    /// Costs an email.
    Resend,
    /// An email provider unsubscribes a member (RFC 8058).
    OneClick,
}

impl RequestClass {
    fn of(request: &Request) -> Self {
        let path = request.uri().path();
        if request.method() != Method::POST {
            Self::View
        } else if path.starts_with("/u/") {
            Self::OneClick
        } else if path.ends_with("/resend") || path.ends_with("/resubscribe") {
            Self::Resend
        } else {
            Self::Press
        }
    }
}

/// What each client has used.
#[derive(Debug)]
pub(super) struct Quotas {
    requests: Quota,
    presses: Quota,
    resends: Quota,
    one_clicks: Quota,
}

impl Quotas {
    pub(super) fn new(requests_per_minute: NonZeroU32, clock: &Clock) -> Self {
        let per_minute = governor::Quota::per_minute;
        let presses = NonZeroU32::new(requests_per_minute.get() / PRESS_DIVISOR).unwrap_or(NonZeroU32::MIN);
        let one_clicks = requests_per_minute.saturating_mul(ONE_CLICK_FACTOR);
        Self {
            requests: Quota::new("requests", per_minute, requests_per_minute, clock),
            presses: Quota::new("presses", per_minute, presses, clock),
            resends: Quota::new("resends", governor::Quota::per_hour, RESENDS_PER_HOUR, clock),
            one_clicks: Quota::new("one_clicks", per_minute, one_clicks, clock),
        }
    }

    fn check(&self, key: RateLimitKey, class: RequestClass) -> Result<(), RateLimited> {
        let quotas: &[&Quota] = match class {
            RequestClass::View => &[&self.requests],
            RequestClass::Press => &[&self.requests, &self.presses],
            RequestClass::Resend => &[&self.requests, &self.resends],
            RequestClass::OneClick => &[&self.one_clicks],
        };
        quotas.iter().try_for_each(|quota| quota.check(key))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RateLimited {
    quota: &'static str,
    retry_after: Duration,
}

/// One quota of every client.
#[derive(Debug)]
struct Quota {
    name: &'static str,
    clock: MonotonicClock,
    hasher: RandomState,
    /// In the order of [`NETWORK_FACTORS`].
    limiters: [Limiter; 3],
}

type Limiter = RateLimiter<Bucket, HashMapStateStore<Bucket>, MonotonicClock, NoOpMiddleware<Nanos>>;

/// A keyed hash of the client. Two clients rarely share a bucket; in return, memory use has a limit.
type Bucket = u16;

impl Quota {
    fn new(
        name: &'static str,
        quota: fn(NonZeroU32) -> governor::Quota,
        requests: NonZeroU32,
        clock: &Clock,
    ) -> Self {
        let clock = MonotonicClock(clock.clone());
        let limiters = NETWORK_FACTORS.map(|factor| {
            let quota = quota(requests.saturating_mul(factor));
            RateLimiter::new(quota, HashMapStateStore::default(), clock.clone())
        });
        Self { name, clock, hasher: RandomState::new(), limiters }
    }

    fn check(&self, key: RateLimitKey) -> Result<(), RateLimited> {
        key.networks().zip(&self.limiters).try_for_each(|(network, limiter)| {
            let bucket = self.hasher.hash_one(network) as Bucket;
            limiter.check_key(&bucket).map_err(|until| RateLimited {
                quota: self.name,
                retry_after: until.wait_time_from(self.clock.now()),
            })
        })
    }
}

/// Setting the wall clock must not lock a client out.
#[derive(Clone, Debug)]
struct MonotonicClock(Clock);

impl GovernorClock for MonotonicClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.monotonic())
    }
}

#[cfg(test)]
mod tests;
