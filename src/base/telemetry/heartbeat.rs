//! Requests the URL of a monitor that raises an alarm when sweeps no longer end well.

use crate::base::config::Telemetry;
use crate::base::proxy::Proxies;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The end of a sweep, as the monitor learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Healthy,
    StoppedEarly,
}

/// Requests `telemetry.heartbeat_url`, if it is set. After a sweep that stopped early, requests its `/fail`, if
/// `telemetry.heartbeat_fail` is set.
pub(crate) async fn send_heartbeat(settings: &Telemetry, beat: Beat) {
    let Some(url) = settings.heartbeat_url.expose() else { return };
    let url = match beat {
        Beat::Healthy => url.clone(),
        Beat::StoppedEarly if settings.heartbeat_fail => fail_url(url),
        Beat::StoppedEarly => return,
    };
    let response = async {
        let proxies = Proxies::from_env();
        let proxy = reqwest::Proxy::custom(move |target| proxies.of_target(target).cloned());
        // A referer would tell the next host the URL, which is a secret.
        let client = reqwest::Client::builder().timeout(TIMEOUT).referer(false).proxy(proxy).build()?;
        client.get(url).send().await?.error_for_status()
    };
    if let Err(error) = response.await {
        tracing::warn!(event = "heartbeat_failed", error = %error.without_url(), "heartbeat failed");
    }
}

/// The URL with `/fail` after its path.
fn fail_url(url: &Url) -> Url {
    let mut fail = url.clone();
    fail.set_path(&format!("{}/fail", url.path().trim_end_matches('/')));
    fail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fail_comes_after_the_path_and_before_the_query() {
        for (url, expected) in [
            ("https://ping.example.org/17", "https://ping.example.org/17/fail"),
            ("https://ping.example.org/17/?key=a", "https://ping.example.org/17/fail?key=a"),
            ("https://ping.example.org", "https://ping.example.org/fail"),
        ] {
            assert_eq!(fail_url(&url.parse().unwrap()).as_str(), expected);
        }
    }
}
