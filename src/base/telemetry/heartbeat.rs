//! Requests the URL of a monitor that raises an alarm when sweeps no longer end well.

use crate::base::config::Telemetry;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Requests `telemetry.heartbeat_url`, if it is set.
pub(crate) async fn send_heartbeat(settings: &Telemetry) {
    let Some(url) = &settings.heartbeat_url else { return };
    let response = async {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        client.get(url.clone()).send().await?.error_for_status()
    };
    if let Err(error) = response.await {
        tracing::warn!(error = %error.without_url(), "heartbeat failed");
    }
}
