//! One request for each event.

use super::signature::signatures;
use crate::base::certificates;
use crate::base::clock::Clock;
use crate::base::config::{Webhook, WebhookSecret};
use crate::base::proxy::Proxies;
use crate::base::retry_after::parse_retry_after;
use anyhow::Context;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Proxy, Response, StatusCode, redirect};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// For a whole request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For the connection alone: within it, nothing was sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A longer response is not read to its end, so its connection is not used again.
const MAX_DRAINED_BYTES: usize = 16 << 10;

/// Cheap to clone.
#[derive(Clone)]
pub struct WebhookClient(Arc<Inner>);

struct Inner {
    client: Client,
    url: Url,
    /// The current one first.
    secrets: Vec<WebhookSecret>,
    clock: Clock,
}

/// What is posted. The signature covers the exact bytes of the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) id: &'a str,
    pub(crate) body: &'a str,
}

/// The receiver did not confirm the event. Its text never has the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PostError {
    /// Nothing was sent.
    #[error("cannot connect")]
    Unreachable,
    /// The receiver may have got the event.
    #[error("no response within {} seconds", TIMEOUT.as_secs())]
    TimedOut,
    /// The receiver may have got the event.
    #[error("the connection broke before the response")]
    Interrupted,
    #[error("HTTP {status}")]
    Status { status: u16, retry_after: Option<Duration> },
}

impl PostError {
    /// The reason code in the database and in reports.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Unreachable => "unreachable".into(),
            Self::TimedOut => "timed_out".into(),
            Self::Interrupted => "interrupted".into(),
            Self::Status { status, .. } => format!("http_{status}"),
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl WebhookClient {
    /// `None` without a receiver.
    ///
    /// # Errors
    /// The error names the setting.
    pub(crate) fn new(settings: &Webhook, clock: &Clock) -> anyhow::Result<Option<Self>> {
        let Some(url) = &settings.url else { return Ok(None) };
        let proxies = Proxies::from_env();
        let builder = Client::builder()
            .user_agent(concat!("reconnectd/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        let builder = if proxies.is_empty() {
            builder.no_proxy()
        } else {
            builder.proxy(Proxy::custom(move |target| proxies.of_target(target).cloned()))
        };
        let client = builder.build().map_err(reqwest::Error::without_url);
        let client = client.with_context(|| {
            format!("webhook: cannot create an HTTP client{}", certificates::remedy_if_missing())
        })?;
        let secrets = settings.secret.iter().chain(&settings.previous_secret).cloned().collect();
        Ok(Some(Self(Arc::new(Inner { client, url: url.clone(), secrets, clock: clock.clone() }))))
    }

    /// Posts an event. Only a status from 200 to 299 confirms it.
    pub(crate) async fn post(&self, message: Message<'_>) -> Result<(), PostError> {
        let Inner { client, url, secrets, clock } = &*self.0;
        let timestamp = clock.now().timestamp();
        let request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures(secrets.iter(), message.id, timestamp, message.body))
            .body(message.body.to_owned());
        let response = request.send().await.map_err(|error| PostError::from_transport(&error))?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| parse_retry_after(value.to_str().ok()?, clock.now()));
        drain(response).await;
        confirmed(status, retry_after)
    }
}

fn confirmed(status: StatusCode, retry_after: Option<Duration>) -> Result<(), PostError> {
    if status.is_success() {
        return Ok(());
    }
    Err(PostError::Status { status: status.as_u16(), retry_after })
}

/// Reads a short response to its end, so that its connection can be used again. What it says is ignored.
async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > MAX_DRAINED_BYTES {
            return;
        }
    }
}

impl PostError {
    fn from_transport(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Unreachable
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Interrupted
        }
    }
}
