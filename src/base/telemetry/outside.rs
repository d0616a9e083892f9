//! What others are told of the daemon: its service manager, and whoever watches that sweeps go on.

use crate::base::config::Telemetry;
use std::time::Duration;

/// The heartbeat is a courtesy; nothing may wait for it long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells the service manager, if there is one, that the daemon is ready (sd_notify(3)).
pub(crate) fn ready() {
    notify(&sd_notify::NotifyState::Ready);
}

/// Tells it that the daemon has been asked to end and finishes what is in hand.
pub(crate) fn stopping() {
    notify(&sd_notify::NotifyState::Stopping);
}

fn notify(state: &sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, ?state, "the service manager was not told");
    }
}

/// Asks `telemetry.heartbeat_url`, if there is one: a sweep came to its end with every answer clear.
pub(crate) async fn heartbeat(settings: &Telemetry) {
    if settings.heartbeat_url.is_empty() {
        return;
    }
    let asked = async {
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        client.get(&settings.heartbeat_url).send().await?.error_for_status()
    };
    if let Err(error) = asked.await {
        tracing::warn!(error = %error.without_url(), "the heartbeat was not taken");
    }
}
