//! The HTTP below the operations: one pooled client, its limits, and the retries within one call.

use super::{
    error::{Fault, GatewayError, SetupError, chain},
    oauth::is_loopback,
    retry::{Retry, retry_after},
};
use crate::{clock::Clock, config};
use backon::Retryable;
use governor::{DefaultDirectRateLimiter, Quota};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header::CONTENT_TYPE, redirect};
use std::{num::NonZeroU32, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

/// The largest answer that is read, decompressed, in bytes.
pub(super) const LARGEST_ANSWER: usize = 16 << 20;

/// For the connection alone, within the time for the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than the idle time-out of common load balancers (60 s), which would cut a connection just as it is
/// used again: a refresh cut off like that may have spent its token.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

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
    /// Whether it is a page for people: then not the gateway spoke, but something before it.
    pub(super) is_page: bool,
    /// What `Retry-After` asks for.
    pub(super) after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// The client.
pub(super) struct Http {
    client: Client,
    timeout: Duration,
    slots: Semaphore,
    rate: Option<DefaultDirectRateLimiter>,
    retry: Retry,
    clock: Clock,
}

impl Http {
    pub(super) fn new(settings: &config::Gateway, retry: Retry, clock: Clock) -> Result<Self, SetupError> {
        let mut builder = Client::builder()
            .user_agent(concat!("reconnectd/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT);
        if is_loopback(&settings.url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            SetupError::new("gateway", format!("no HTTP client can be made: {}", chain(&error)))
        })?;
        // Without bursts: the rate holds in every second, not in the long run only.
        let rate = NonZeroU32::new(settings.requests_per_second)
            .map(|n| DefaultDirectRateLimiter::direct(Quota::per_second(n).allow_burst(NonZeroU32::MIN)));
        let slots = Semaphore::new(settings.max_in_flight.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { client, timeout: settings.timeout, slots, rate, retry, clock })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends what `build` makes and has `read` make sense of the answer; does both again where `repeat`
    /// allows it.
    pub(super) async fn call<T>(
        &self,
        operation: &'static str,
        repeat: Repeat,
        build: impl Fn() -> Result<RequestBuilder, Fault> + Send + Sync,
        read: impl Fn(&Reply) -> Result<T, Fault> + Send + Sync,
    ) -> Result<T, GatewayError> {
        let once = || async { read(&self.send(operation, build()?).await?) };
        once.retry(self.retry.pauses())
            .when(|fault: &Fault| repeat.allows(fault))
            .adjust(|fault: &Fault, pause| self.retry.pause(fault.retry_after(), pause))
            .notify(|fault: &Fault, pause| tracing::debug!(operation, %fault, ?pause, "asking again"))
            .await
            .map_err(|fault| GatewayError::new(operation, fault))
    }

    async fn send(&self, operation: &'static str, request: RequestBuilder) -> Result<Reply, Fault> {
        // The semaphore is never closed; were it, the limit alone would be lost.
        let _slot = self.slots.acquire().await;
        if let Some(rate) = &self.rate {
            rate.until_ready().await;
        }
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
            Err(fault) => tracing::debug!(operation, %fault, ?elapsed, "not answered"),
        }
        reply
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Reply, Fault> {
        let failed = |error| Fault::of_transport(error, self.timeout);
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Fault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: response.status(),
            is_page: is_page(&response),
            after: retry_after(response.headers(), self.clock.now()),
            body,
        })
    }
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/html")
}
