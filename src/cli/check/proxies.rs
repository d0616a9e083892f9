//! The proxy for each target of the daemon's requests.

use super::checklist::Checklist;
use crate::base::config::{AuthMode, Config};
use crate::base::proxy::Proxies;
use std::io;
use url::Url;

pub(super) fn check(config: &Config, checklist: &Checklist) -> io::Result<()> {
    let proxies = Proxies::from_env();
    for variable in &proxies.unusable {
        let message = format!(
            "{variable} has no effect: it must name an http or https proxy, such as http://proxy:3128"
        );
        checklist.warning("proxy", &message)?;
    }
    for (key, target) in targets(config) {
        let proxy = proxies.of_target(&target).map(without_credentials);
        let message = match &proxy {
            Some(proxy) => format!("{key}: through {proxy}"),
            None => format!("{key}: none"),
        };
        checklist.ok_with("proxy", &message, &[("target", key.into()), ("proxy", proxy.into())])?;
    }
    Ok(())
}

/// By the setting that names it.
fn targets(config: &Config) -> Vec<(&'static str, Url)> {
    let auth = &config.gateway.auth;
    let token = match auth.mode {
        AuthMode::RefreshToken => None,
        AuthMode::TokenExchange => Some(("gateway.auth.token_url", auth.token_url.as_str())),
        AuthMode::Broker => Some(("gateway.auth.broker_url", auth.broker_url.as_str())),
    };
    let token = token.and_then(|(key, url)| Some((key, url.parse().ok()?)));
    let heartbeat =
        config.telemetry.heartbeat_url.expose().cloned().map(|url| ("telemetry.heartbeat_url", url));
    let traces = config.telemetry.otlp_endpoint.url().cloned().map(|url| ("telemetry.otlp_endpoint", url));
    let events = config.webhook.url.clone().map(|url| ("webhook.url", url));
    [("gateway.url", config.gateway.url.clone())]
        .into_iter()
        .chain(token)
        .chain(heartbeat)
        .chain(traces)
        .chain(events)
        .collect()
}

fn without_credentials(proxy: &Url) -> String {
    format!("{}://{}", proxy.scheme(), &proxy[url::Position::BeforeHost..url::Position::AfterPort])
}
