//! The HTTP below the operations: one pooled client, its limits, and the retries within one call.

use super::{
    error::{Failure, Fault, GatewayError, SetupError, chain},
    request_id::request_id,
    retry::{Retry, retry_after},
    skew::Skew,
    throttle::{Caller, SharedWait},
};
use crate::{base::clock::Clock, base::config};
use backon::Retryable;
use chrono::TimeDelta;
use governor::{DefaultDirectRateLimiter, Quota};
use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode, redirect};
use std::{num::NonZeroU32, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

/// The largest answer that is read, decompressed, in bytes.
pub(super) const LARGEST_ANSWER: usize = 16 << 20;

/// For the connection alone, within the time for the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than the idle time-out of common load balancers (60 s), which would cut a connection just as it is
/// used again: a refresh cut off like that may have spent its token.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The most that `Retry-After` keeps a person waiting.
const PATIENCE_OF_PEOPLE: Duration = Duration::from_secs(5 * 60);

/// When an HTTP/2 connection that has gone silent is given up: a network can swallow one without a word, and every
/// request on it would time out from then on.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepAlive {
    /// How often the server is pinged while requests are under way.
    pub(super) interval: Duration,
    /// How long it may take to answer a ping.
    pub(super) timeout: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15), timeout: Duration::from_secs(10) }
    }
}

/// Whether a request may be sent again within one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing, so that a second one is safe.
    Freely,
    /// Only when nothing of the first one left this machine: what was sent may have been carried out.
    IfUnsent,
}

impl Repeat {
    fn allows(self, fault: &Fault) -> bool {
        match fault {
            Fault::Unreachable(_) => true,
            Fault::Interrupted(_) => self == Self::Freely,
            Fault::Status { status, .. } => {
                self == Self::Freely && (status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS)
            }
            _ => false,
        }
    }
}

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// What `Retry-After` asks for.
    pub(super) after: Option<Duration>,
    pub(super) request_id: Option<String>,
    pub(super) body: Vec<u8>,
}

/// What one call is.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) repeat: Repeat,
    /// Tells callers apart: a token, a subject or a member's id.
    pub(super) caller: &'a str,
    /// Whether a person waits for it.
    pub(super) interactive: bool,
}

/// The client.
pub(super) struct Http {
    client: Client,
    timeout: Duration,
    max_in_flight: usize,
    slots: Semaphore,
    rate: Option<DefaultDirectRateLimiter>,
    retry: Retry,
    clock: Clock,
    shared_wait: SharedWait,
    skew: Skew,
}

impl Http {
    pub(super) fn new(settings: &config::Gateway, retry: Retry, clock: Clock) -> Result<Self, SetupError> {
        let builder = Self::builder(settings, KeepAlive::default());
        Self::with_client(builder, settings, retry, clock)
    }

    pub(super) fn builder(settings: &config::Gateway, keep_alive: KeepAlive) -> ClientBuilder {
        let builder = Client::builder()
            .user_agent(concat!("reconnectd/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http2_keep_alive_interval(keep_alive.interval)
            .http2_keep_alive_timeout(keep_alive.timeout);
        if settings.url.host_str().is_some_and(config::is_loopback_host) {
            builder.no_proxy()
        } else {
            builder
        }
    }

    pub(super) fn with_client(
        builder: ClientBuilder,
        settings: &config::Gateway,
        retry: Retry,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        let client = builder.build().map_err(|error| {
            SetupError::new("gateway", format!("no HTTP client can be made: {}", chain(&error)))
        })?;
        // Without bursts: the rate holds in every second, not in the long run only.
        let rate = NonZeroU32::new(settings.requests_per_second)
            .map(|n| DefaultDirectRateLimiter::direct(Quota::per_second(n).allow_burst(NonZeroU32::MIN)));
        let max_in_flight = settings.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        let slots = Semaphore::new(max_in_flight);
        Ok(Self {
            client,
            timeout: settings.timeout,
            max_in_flight,
            slots,
            rate,
            retry,
            clock,
            shared_wait: SharedWait::default(),
            skew: Skew::default(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn shared_wait(&self) -> Option<Duration> {
        self.shared_wait.remaining(self.clock.now())
    }

    pub(super) fn clock_skew(&self) -> Option<TimeDelta> {
        self.skew.latest()
    }

    /// Sends what `build` makes and has `read` make sense of the answer; does both again where the call allows it.
    pub(super) async fn call<T>(
        &self,
        call: Call<'_>,
        build: impl Fn() -> Result<RequestBuilder, Fault> + Send + Sync,
        read: impl Fn(&Reply) -> Result<T, Fault> + Send + Sync,
    ) -> Result<T, GatewayError> {
        let Call { operation, repeat, .. } = call;
        let once = || async { self.once(call, build()?, &read).await };
        let clock = self.clock.clone();
        once.retry(self.retry.pauses())
            .sleep(move |pause| {
                let clock = clock.clone();
                async move { clock.sleep(pause).await }
            })
            .when(|failure: &Failure| !failure.shared_wait && repeat.allows(&failure.fault))
            .adjust(|failure: &Failure, pause| self.retry.pause(failure.fault.retry_after(), pause))
            .notify(|failure: &Failure, pause| {
                tracing::debug!(operation, fault = %failure.fault, ?pause, "asking again");
            })
            .await
            .map_err(|failure| GatewayError::new(operation, failure))
    }

    /// One try.
    async fn once<T>(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
        read: impl Fn(&Reply) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        let reply = self.send(call, request).await?;
        let fault = match read(&reply) {
            Ok(answer) => {
                self.shared_wait.answered(call.operation);
                return Ok(answer);
            }
            Err(fault) => fault,
        };
        let mut failure = Failure { fault, request_id: reply.request_id, shared_wait: false };
        if failure.fault.is_judgment() {
            self.shared_wait.answered(call.operation);
        }
        if call.interactive {
            failure.fault = failure.fault.with_patience(PATIENCE_OF_PEOPLE);
        } else if failure.fault.is_throttled() {
            let after = failure.fault.retry_after();
            let under_way = self.max_in_flight - self.slots.available_permits();
            failure.shared_wait = self.shared_wait.throttled(
                call.operation,
                Caller::new(call.caller),
                after,
                under_way,
                self.clock.now(),
            );
        }
        let (operation, request_id) = (call.operation, failure.request_id.as_deref());
        tracing::debug!(operation, request_id, fault = %failure.fault, "failed");
        Err(failure)
    }

    async fn send(&self, call: Call<'_>, request: RequestBuilder) -> Result<Reply, Failure> {
        let operation = call.operation;
        self.hold_back(call)?;
        // The semaphore is never closed; were it, the limit alone would be lost.
        let _slot = self.slots.acquire().await;
        if let Some(rate) = &self.rate {
            rate.until_ready().await;
        }
        // The wait may have begun meanwhile.
        self.hold_back(call)?;
        let begun = Instant::now();
        let reply = self.exchange(request).await;
        let elapsed = begun.elapsed();
        match &reply {
            Ok(reply) => {
                tracing::debug!(
                    operation,
                    status = reply.status.as_u16(),
                    bytes = reply.body.len(),
                    ?elapsed,
                    "answered"
                );
            }
            Err(Failure { fault, request_id, .. }) => {
                tracing::debug!(operation, request_id, %fault, ?elapsed, "not answered");
            }
        }
        reply
    }

    fn hold_back(&self, call: Call<'_>) -> Result<(), Fault> {
        let left = if call.interactive { None } else { self.shared_wait() };
        left.map_or(Ok(()), |left| Err(Fault::HeldBack(left)))
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let failed = |error| Fault::of_transport(error, begun.elapsed(), self.timeout);
        let mut response = request.send().await.map_err(failed)?;
        let now = self.clock.now();
        self.skew.measure(response.headers(), now);
        let request_id = request_id(response.headers());
        let cut = |fault| Failure { request_id: request_id.clone(), ..Failure::from(fault) };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| cut(failed(error)))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(cut(Fault::TooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        let after = retry_after(response.headers(), now);
        Ok(Reply { status: response.status(), after, request_id, body })
    }
}
