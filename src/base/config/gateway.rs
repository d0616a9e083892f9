//! `[gateway]`: where the gateway is, how hard it may be asked, and in whose name.

use super::{diagnostic::Report, values};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::time::Duration;

/// What an ID token can be signed with.
const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// The longest that an ID token may live.
const LONGEST_LIFETIME: Duration = Duration::from_secs(3600);

/// `[gateway]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The GraphQL endpoint.
    #[serde(deserialize_with = "values::absolute_url")]
    pub(crate) url: url::Url,
    /// Names the operator's app.
    pub(crate) client_key: SecretString,
    /// For one request, answer included.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) timeout: Duration,
    /// Requests at once.
    pub(crate) max_in_flight: usize,
    /// 0: no limit.
    pub(crate) requests_per_second: u32,
    /// Hosts a reconnect URL may lead to; empty: any https host.
    pub(crate) oauth_hosts: Vec<String>,
    /// `[gateway.auth]`
    pub(crate) auth: Auth,
}

impl Gateway {
    pub(super) fn validate(&self, report: &mut Report) {
        report.check("gateway.url", values::check_secure_url(&self.url));
        if self.timeout.is_zero() {
            report.error("gateway.timeout", "is zero; write a duration such as \"30s\"");
        }
        if !(1..=10_000).contains(&self.max_in_flight) {
            report.error("gateway.max_in_flight", "is out of range; write a number from 1 to 10000");
        }
        if self.oauth_hosts.iter().any(|host| !is_host(host)) {
            report.error(
                "gateway.oauth_hosts",
                "holds something that is not a host; write names alone, without scheme, port or path, \
                 as in [\"login.example.org\"]",
            );
        }
        self.auth.validate(report);
    }
}

fn is_host(text: &str) -> bool {
    !text.contains([':', '/', '@', '*']) && url::Host::parse(text).is_ok()
}

/// How tokens are got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// With the member's refresh token.
    RefreshToken,
    /// With an ID token that we sign.
    TokenExchange,
    /// From an endpoint of the operator's.
    Broker,
}

/// `[gateway.auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    /// How tokens are got.
    pub(crate) mode: AuthMode,
    /// The token endpoint (`token_exchange`).
    pub(crate) token_url: String,
    /// PEM private key (`token_exchange`).
    pub(crate) signing_key: SecretString,
    /// `kid` (`token_exchange`).
    pub(crate) key_id: String,
    /// RS256, ES256 or EdDSA (`token_exchange`).
    pub(crate) algorithm: String,
    /// `iss` (`token_exchange`).
    pub(crate) issuer: String,
    /// `aud` (`token_exchange`).
    pub(crate) audience: String,
    /// Of an ID token (`token_exchange`).
    #[serde(deserialize_with = "values::duration")]
    pub(crate) lifetime: Duration,
    /// The operator's endpoint (`broker`).
    pub(crate) broker_url: String,
    /// Its bearer token (`broker`).
    pub(crate) broker_token: SecretString,
}

impl Auth {
    pub(super) fn validate(&self, report: &mut Report) {
        match self.mode {
            AuthMode::RefreshToken => {}
            AuthMode::TokenExchange => self.validate_exchange(report),
            AuthMode::Broker => needs_url(report, "gateway.auth.broker_url", &self.broker_url),
        }
    }

    fn validate_exchange(&self, report: &mut Report) {
        needs_url(report, "gateway.auth.token_url", &self.token_url);
        let signing_key = self.signing_key.expose_secret();
        if signing_key.is_empty() {
            needs(report, "gateway.auth.signing_key", "name its file as gateway.auth.signing_key_file");
        } else if !signing_key.trim_start().starts_with("-----BEGIN ") {
            report.error(
                "gateway.auth.signing_key",
                "is not a PEM private key; name a file that holds one as gateway.auth.signing_key_file",
            );
        }
        if !ALGORITHMS.contains(&self.algorithm.as_str()) {
            report.error("gateway.auth.algorithm", "is not known; write \"RS256\", \"ES256\" or \"EdDSA\"");
        }
        if self.issuer.is_empty() {
            needs(report, "gateway.auth.issuer", "write the `iss` that the gateway expects");
        }
        if self.audience.is_empty() {
            needs(report, "gateway.auth.audience", "write the `aud` that the gateway expects");
        }
        if self.lifetime.is_zero() || self.lifetime > LONGEST_LIFETIME {
            report.error("gateway.auth.lifetime", "is out of range; write a duration up to \"1h\"");
        }
    }
}

fn needs_url(report: &mut Report, key: &'static str, text: &str) {
    if text.is_empty() {
        needs(report, key, "write its URL");
    } else {
        report.check(key, values::check_secure_url_text(text));
    }
}

fn needs(report: &mut Report, key: &'static str, remedy: &str) {
    report.error_because_of(key, "gateway.auth.mode", format!("is needed by gateway.auth.mode; {remedy}"));
}
