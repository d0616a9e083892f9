//! Requests to the collector, through the TLS and the proxies of all other requests.

use super::error::TracesError;
use super::outage::Outage;
use crate::base::proxy::Proxies;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::redirect::Policy;
use std::time::Duration;
use tokio::runtime::Handle;

/// For one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of a response, which nobody reads.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct CollectorClient {
    client: reqwest::Client,
    /// The exporter's thread has none.
    runtime: Handle,
    outage: Outage,
}

impl CollectorClient {
    /// # Errors
    /// This machine has no certificates to trust.
    pub(super) fn new(outage: Outage) -> Result<Self, TracesError> {
        let proxies = Proxies::from_env();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // The headers can hold a credential of the collector's.
            .redirect(Policy::none())
            .proxy(reqwest::Proxy::custom(move |target| proxies.of_target(target).cloned()))
            .build()
            .map_err(|error| TracesError(error.without_url().to_string()))?;
        Ok(Self { client, runtime: Handle::current(), outage })
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request).map_err(reqwest::Error::without_url)?;
        let sent = self.runtime.spawn(send(self.client.clone(), request)).await?;
        match &sent {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => self.outage.note(format!("status_{}", response.status().as_u16())),
            Err(error) if error.is_timeout() => self.outage.note("timed_out"),
            Err(_) => self.outage.note("unreachable"),
        }
        Ok(sent?)
    }
}

/// Reads the body only so that the connection can be used again.
async fn send(client: reqwest::Client, request: reqwest::Request) -> Result<Response<Bytes>, reqwest::Error> {
    let mut response = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut read = 0;
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        read += chunk.len();
        if read > MAX_RESPONSE_BYTES {
            break;
        }
    }
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    // The exporter waits for as long.
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}
