//! HTTP below the operations: one pooled client, its limits, and the retries within one call.

use super::{
    clients::{BuildClient, Clients},
    error::{GatewayError, SetupError},
    fault::{Failure, Fault, masked_chain},
    headers::request_id,
    response::HttpResponse,
    retry::{Retries, RetryPolicy, retry_after},
    skew::Skew,
    slots::Slots,
    throttle::{Caller, SharedWait},
};
use crate::{
    base::certificates,
    base::clock::Clock,
    base::config,
    base::instances::Instances,
    base::proxy::Proxies,
    base::telemetry::{metrics, traces},
};
use backon::Retryable;
use chrono::TimeDelta;
use reqwest::{Client, ClientBuilder, Proxy, RequestBuilder, redirect};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// The largest response that is read, in bytes after decompression.
pub(super) const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// For the connection alone; the request's timeout includes it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than the idle timeout of common load balancers (60 s), which would close a connection just as it is reused. A
/// refresh interrupted like that may have consumed its token.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest `Retry-After` that is reported to a person who waits.
const MAX_INTERACTIVE_WAIT: Duration = Duration::from_secs(5 * 60);

/// When a silent HTTP/2 connection is abandoned. A network can drop one without notice, and then every request on it
/// would time out.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepAlive {
    /// The time between pings while requests are in flight.
    pub(super) interval: Duration,
    /// The longest wait for the response to a ping.
    pub(super) timeout: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15), timeout: Duration::from_secs(10) }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) retry: RetryPolicy,
    /// Identifies the caller: a token, a subject, or a member's id.
    pub(super) caller: &'a str,
    /// Whether a person waits for the response.
    pub(super) interactive: bool,
    /// Whether a person waits by now. `None`: `interactive` does not change.
    pub(super) is_urgent: Option<&'a watch::Receiver<bool>>,
}

pub(super) struct Http {
    clients: Clients,
    timeout: Duration,
    slots: Slots,
    retries: Retries,
    clock: Clock,
    shared_wait: SharedWait,
    skew: Skew,
}

impl Http {
    pub(super) fn new(
        settings: &config::Gateway,
        retries: Retries,
        clock: Clock,
        instances: &Instances,
    ) -> Result<Self, SetupError> {
        let own = settings.clone();
        let build = Box::new(move || Self::builder(&own, KeepAlive::default()));
        Self::with_client(build, settings, retries, clock, instances)
    }

    pub(super) fn builder(settings: &config::Gateway, keep_alive: KeepAlive) -> ClientBuilder {
        let proxies = Proxies::from_env();
        let builder = Client::builder()
            .user_agent(concat!("reconnectd/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http2_keep_alive_interval(keep_alive.interval)
            .http2_keep_alive_timeout(keep_alive.timeout);
        // A proxy that is chosen by the target parses the URL of each request.
        if proxies.is_empty() {
            builder.no_proxy()
        } else {
            builder.proxy(Proxy::custom(move |target| proxies.of_target(target).cloned()))
        }
    }

    pub(super) fn with_client(
        build: BuildClient,
        settings: &config::Gateway,
        retries: Retries,
        clock: Clock,
        instances: &Instances,
    ) -> Result<Self, SetupError> {
        let clients = Clients::new(build).map_err(|error| {
            let remedy = certificates::remedy_if_missing();
            SetupError::new(
                "gateway",
                format!("cannot create an HTTP client: {}{remedy}", masked_chain(&error)),
            )
        })?;
        Ok(Self {
            clients,
            timeout: settings.timeout,
            slots: Slots::new(settings.max_in_flight, settings.requests_per_second, instances),
            retries,
            clock,
            shared_wait: SharedWait::default(),
            skew: Skew::default(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        self.clients.keeping()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn slots(&self) -> &Slots {
        &self.slots
    }

    pub(super) fn shared_wait(&self) -> Option<Duration> {
        if self.shared_wait.is_over() { None } else { self.shared_wait.remaining(self.clock.now()) }
    }

    pub(super) fn clock_skew(&self) -> Option<TimeDelta> {
        self.skew.latest()
    }

    /// Sends the request that `build` creates and reads the response with `read`. Repeats both where the call's policy
    /// allows a retry.
    pub(super) async fn call<T>(
        &self,
        call: Call<'_>,
        build: impl Fn() -> Result<RequestBuilder, Fault> + Send + Sync,
        read: impl Fn(&HttpResponse) -> Result<T, Fault> + Send + Sync,
    ) -> Result<T, GatewayError> {
        let Call { operation, retry, .. } = call;
        let has_broken = AtomicBool::new(false);
        let attempt = || async {
            let request = build()?;
            let attempt = async {
                let result = self.attempt(call, request, has_broken.load(Ordering::Relaxed), &read).await;
                result.inspect_err(|failure| traces::record_failure(failure.fault.code()))
            };
            traces::in_child_span("gateway_request", &[("operation", &operation)], attempt).await
        };
        let clock = self.clock.clone();
        attempt
            .retry(self.retries.pauses())
            .sleep(move |pause| {
                let clock = clock.clone();
                async move { clock.sleep(pause).await }
            })
            .when(|failure: &Failure| !failure.shared_wait && retry.allows_retry_after(&failure.fault))
            .adjust(|failure: &Failure, pause| self.retries.pause(failure.fault.retry_after(), pause))
            .notify(|failure: &Failure, pause| {
                has_broken.store(matches!(failure.fault, Fault::Interrupted(_)), Ordering::Relaxed);
                tracing::debug!(operation, fault = %failure.fault, ?pause, "retrying a gateway request");
            })
            .await
            .map_err(|failure| GatewayError::new(operation, failure))
    }

    async fn attempt<T>(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
        on_new_connection: bool,
        read: impl Fn(&HttpResponse) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        let (response, elapsed) = self.send(call, request, on_new_connection).await?;
        let fault = match read(&response) {
            Ok(value) => {
                metrics::record_gateway_request(call.operation, "ok", elapsed);
                self.shared_wait.record_response(call.operation);
                return Ok(value);
            }
            Err(fault) => fault,
        };
        metrics::record_gateway_request(call.operation, fault.code(), elapsed);
        let mut failure = Failure { fault, request_id: response.request_id, shared_wait: false };
        if failure.fault.is_judgment() {
            self.shared_wait.record_response(call.operation);
        }
        if call.interactive {
            failure.fault = failure.fault.with_retry_after_at_most(MAX_INTERACTIVE_WAIT);
        } else if failure.fault.is_throttled() {
            let retry_after = failure.fault.retry_after();
            let in_flight = self.slots.shared_in_flight();
            failure.shared_wait = self.shared_wait.record_throttled(
                call.operation,
                Caller::new(call.caller),
                retry_after,
                in_flight,
                self.clock.now(),
            );
        }
        let (operation, request_id) = (call.operation, failure.request_id.as_deref());
        let outcome = failure.fault.code();
        tracing::debug!(operation, request_id, outcome, fault = %failure.fault, "gateway request failed");
        Err(failure)
    }

    async fn send(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
        on_new_connection: bool,
    ) -> Result<(HttpResponse, Duration), Failure> {
        let operation = call.operation;
        self.check_shared_wait(call)?;
        let _slot = match call.is_urgent {
            Some(is_urgent) if !call.interactive => self.slots.take_until_urgent(is_urgent).await,
            _ => self.slots.take(call.interactive).await,
        };
        // The shared wait may have started in the meantime.
        self.check_shared_wait(call)?;
        traces::record_moment("sent");
        let started = Instant::now();
        let response = self.exchange(request, on_new_connection).await;
        let elapsed = started.elapsed();
        match &response {
            Ok(response) => {
                tracing::debug!(
                    operation,
                    status = response.status.as_u16(),
                    bytes = response.body.len(),
                    ?elapsed,
                    "gateway response"
                );
            }
            Err(Failure { fault, request_id, .. }) => {
                let outcome = fault.code();
                metrics::record_gateway_request(operation, outcome, elapsed);
                tracing::debug!(operation, request_id, outcome, %fault, ?elapsed, "no gateway response");
            }
        }
        Ok((response?, elapsed))
    }

    fn check_shared_wait(&self, call: Call<'_>) -> Result<(), Fault> {
        let left = if call.interactive { None } else { self.shared_wait() };
        left.map_or(Ok(()), |left| Err(Fault::HeldBack(left)))
    }

    async fn exchange(
        &self,
        request: RequestBuilder,
        on_new_connection: bool,
    ) -> Result<HttpResponse, Failure> {
        let started = Instant::now();
        let failed = |error| Fault::from_transport(error, started.elapsed(), self.timeout);
        let sent = if on_new_connection {
            let request = request.build().map_err(failed)?;
            self.clients.fresh().map_err(failed)?.execute(request).await
        } else {
            request.send().await
        };
        let mut response = sent.map_err(failed)?;
        let now = self.clock.now();
        self.skew.measure(response.headers(), now);
        let request_id = request_id(response.headers());
        let incomplete = |fault| Failure { request_id: request_id.clone(), ..Failure::from(fault) };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| incomplete(failed(error)))? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(incomplete(Fault::TooLarge { limit: MAX_RESPONSE_BYTES }));
            }
            body.extend_from_slice(&chunk);
        }
        let retry_after = retry_after(response.headers(), now);
        Ok(HttpResponse { status: response.status(), retry_after, request_id, body })
    }
}
