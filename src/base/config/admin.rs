//! `[admin]`: the operator's listener, and who may use its API and dashboard.

use super::{diagnostic::Findings, links::Links, values};
use crate::domain::{Scope, TokenDigest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The name of `admin.token` in the audit.
pub(crate) const SINGLE_TOKEN: &str = "admin";
/// For a name in the audit and the dashboard.
const MAX_NAME: usize = 64;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    #[serde(deserialize_with = "values::listener")]
    pub(crate) listen: SocketAddr,
    /// With full access. Empty: none.
    pub(crate) token: SecretString,
    pub(crate) tokens: Vec<AdminToken>,
    /// Host names, in lower case and without a port, by which browsers and clients may reach the API and the dashboard.
    #[serde(deserialize_with = "hosts")]
    pub(crate) hosts: Vec<String>,
}

/// A token of which only the digest is known.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminToken {
    #[serde(deserialize_with = "name")]
    pub(crate) name: String,
    /// Of the token's text.
    #[serde(deserialize_with = "sha256")]
    pub(crate) sha256: TokenDigest,
    #[serde(deserialize_with = "scope")]
    pub(crate) scope: Scope,
}

impl Admin {
    pub(super) fn validate(&self, findings: &mut Findings, links: &Links) {
        // With port 0 the system picks a free port for each listener.
        if self.listen == links.listen && self.listen.port() != 0 {
            findings.error_because_of(
                "admin.listen",
                "links.listen",
                "must differ from links.listen; write another port, such as \"127.0.0.1:9090\"",
            );
        }
        let single = (!self.token.expose_secret().is_empty()).then_some(SINGLE_TOKEN);
        let mut names: BTreeSet<&str> = single.into_iter().collect();
        for (index, token) in self.tokens.iter().enumerate() {
            if !names.insert(&token.name) {
                let name = &token.name;
                let message = if single == Some(name.as_str()) {
                    format!("[{index}].name: \"{name}\" is the name of admin.token; choose another one")
                } else {
                    format!("[{index}].name: another token is named \"{name}\", too; choose another name")
                };
                findings.error("admin.tokens", message);
            }
        }
    }
}

/// Whether a name of a token can be shown anywhere: letters, digits, `.`, `_`, and `-`.
pub(crate) fn is_token_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_plain)
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if is_token_name(&name) {
        Ok(name)
    } else {
        Err(D::Error::custom(format!(
            "must have 1 to {MAX_NAME} letters, digits, dots, underscores, or hyphens, such as \"grafana\""
        )))
    }
}

/// The error does not repeat the text, which could be the token itself.
fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TokenDigest, D::Error> {
    TokenDigest::from_hex(&String::deserialize(deserializer)?).ok_or_else(|| {
        D::Error::custom(
            "must be the SHA-256 digest of the token: 64 hexadecimal digits, as `reconnectd tokens generate` prints them",
        )
    })
}

fn scope<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("must be \"read\" or \"write\""))
}

fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let hosts = Vec::<String>::deserialize(deserializer)?;
    let is_name =
        |host: &String| matches!(url::Host::parse(host), Ok(url::Host::Domain(name)) if name == *host);
    let hosts: Vec<_> = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
    match hosts.iter().position(|host| !is_name(host)) {
        None => Ok(hosts),
        Some(index) => Err(D::Error::custom(format!(
            "entry {} must be a host name without a port, such as \"reconnectd.example.org\"",
            index + 1
        ))),
    }
}
