//! `[gateway]`: the endpoint, the limits on requests, and the way to get access tokens.

use super::{
    diagnostic::Findings,
    oauth_hosts::OauthHosts,
    signing::{IdTokenLifetime, SigningAlgorithm},
    values,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The GraphQL endpoint.
    #[serde(deserialize_with = "values::secure_url")]
    pub(crate) url: url::Url,
    /// Identifies the operator's app.
    pub(crate) client_key: SecretString,
    /// For one request, including the whole response.
    #[serde(deserialize_with = "values::positive_duration")]
    pub(crate) timeout: Duration,
    #[serde(deserialize_with = "values::integer::<_, _, 1, 10_000>")]
    pub(crate) max_in_flight: usize,
    /// 0: no limit.
    #[serde(deserialize_with = "values::integer::<_, _, 0, 1_000_000>")]
    pub(crate) requests_per_second: u32,
    /// Renewals in flight while the gateway rotates refresh tokens.
    #[serde(deserialize_with = "values::integer::<_, _, 1, 10_000>")]
    pub(crate) max_renewals: usize,
    /// The HMAC key of b.well's messages. Empty: their route does not exist.
    pub(crate) webhook_secret: SecretString,
    pub(crate) oauth_hosts: OauthHosts,
    pub(crate) auth: Auth,
}

impl Gateway {
    pub(super) fn validate(&self, findings: &mut Findings) {
        self.auth.validate(findings);
    }
}

/// The way to get access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// With each member's refresh token.
    RefreshToken,
    /// With an ID token that the daemon signs (RFC 8693).
    TokenExchange,
    /// From the operator's own endpoint.
    Broker,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    pub(crate) mode: AuthMode,
    /// For `token_exchange`, as are all settings up to `lifetime`.
    pub(crate) token_url: String,
    /// A PEM private key.
    pub(crate) signing_key: SecretString,
    /// The header `kid`; none when empty.
    pub(crate) key_id: String,
    pub(crate) algorithm: SigningAlgorithm,
    /// The claim `iss`.
    pub(crate) issuer: String,
    /// The claim `aud`.
    pub(crate) audience: String,
    pub(crate) lifetime: IdTokenLifetime,
    /// For `broker`, like the next.
    pub(crate) broker_url: String,
    pub(crate) broker_token: SecretString,
}

impl Auth {
    pub(super) fn validate(&self, findings: &mut Findings) {
        match self.mode {
            AuthMode::RefreshToken => {}
            AuthMode::TokenExchange => self.validate_exchange(findings),
            AuthMode::Broker => needs_url(findings, "gateway.auth.broker_url", &self.broker_url),
        }
    }

    fn validate_exchange(&self, findings: &mut Findings) {
        needs_url(findings, "gateway.auth.token_url", &self.token_url);
        let signing_key = self.signing_key.expose_secret();
        if signing_key.is_empty() {
            needs(findings, "gateway.auth.signing_key", "name its file as gateway.auth.signing_key_file");
        } else if !signing_key.trim_start().starts_with("-----BEGIN ") {
            findings.error(
                "gateway.auth.signing_key",
                "is not a PEM private key; name a file that holds one as gateway.auth.signing_key_file",
            );
        }
        if self.issuer.is_empty() {
            needs(findings, "gateway.auth.issuer", "write the `iss` that the gateway expects");
        }
        if self.audience.is_empty() {
            needs(findings, "gateway.auth.audience", "write the `aud` that the gateway expects");
        }
    }
}

fn needs_url(findings: &mut Findings, key: &'static str, text: &str) {
    if text.is_empty() {
        needs(findings, key, "write its URL");
    } else {
        findings.check(key, values::check_secure_url_text(text));
    }
}

fn needs(findings: &mut Findings, key: &'static str, remedy: &str) {
    findings.error_because_of(key, "gateway.auth.mode", format!("is needed by gateway.auth.mode; {remedy}"));
}
