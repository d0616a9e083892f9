//! Confirms a subscription of Amazon SNS.

use crate::base::proxy::Proxies;
use crate::domain::{SubscribeUrl, mask};
use std::error::Error;
use std::time::Duration;

/// SNS waits 15 seconds for the response to its message, which waits for this request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Never contains the URL, which has a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfirmError {
    #[error("the request failed: {0}")]
    Request(String),
    #[error("the response was {0}")]
    Status(u16),
}

impl From<reqwest::Error> for ConfirmError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::Request(mask(&cause.to_string()))
    }
}

/// Requests the URL, and follows no redirect.
///
/// # Errors
/// The subscription may not be confirmed.
pub(crate) async fn confirm_sns_subscription(url: &SubscribeUrl) -> Result<(), ConfirmError> {
    let proxies = Proxies::from_env();
    let proxy = reqwest::Proxy::custom(move |target| proxies.of_target(target).cloned());
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .https_only(true)
        .referer(false)
        .proxy(proxy)
        .build()?;
    let status = client.get(url.expose().clone()).send().await?.status();
    if status.is_success() { Ok(()) } else { Err(ConfirmError::Status(status.as_u16())) }
}
