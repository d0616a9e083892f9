//! The hosts that a reconnect URL may lead to: the one reading of `gateway.oauth_hosts`.

use serde::{Deserialize, Deserializer, de::Error};
use std::str::FromStr;
use url::Host;

/// The hosts that a reconnect URL may lead to. An empty list allows every host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct OauthHosts(Vec<HostPattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Exact(String),
    /// Every name below this one. The suffix starts with a dot.
    Subdomains(String),
}

/// An entry that is neither a host nor `*.` and a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "holds something that is not a host; write hosts without scheme, port, or path, as in \
     [\"login.example.org\", \"*.portal.example\"]"
)]
struct InvalidPattern;

impl OauthHosts {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a reconnect URL may lead to `host`, given as [`url::Url::host_str`] returns it.
    pub(crate) fn allows(&self, host: &str) -> bool {
        self.is_empty() || self.lists(host)
    }

    /// Like [`OauthHosts::allows`], but an empty list has no host.
    pub(crate) fn lists(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.0.iter().any(|pattern| pattern.matches(host))
    }
}

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host == name,
            Self::Subdomains(suffix) => host.ends_with(suffix),
        }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let (name, has_wildcard) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        if name.contains('*') {
            return Err(InvalidPattern);
        }
        // URLs are parsed by the same rules: lower case, and Unicode names in their ASCII form.
        match (Host::parse(name.trim_end_matches('.')), has_wildcard) {
            (Ok(Host::Domain(name)), true) => Ok(Self::Subdomains(format!(".{name}"))),
            (Ok(host), false) => Ok(Self::Exact(host.to_string())),
            _ => Err(InvalidPattern),
        }
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
impl OauthHosts {
    pub(crate) fn of(entries: &[&str]) -> Self {
        Self(entries.iter().map(|entry| entry.parse().unwrap()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_a_whole_host_or_every_name_below_a_domain() {
        let hosts = OauthHosts::of(&["IdP.example", "*.portal.example", "exámple.org", "[::1]", "127.0.0.1"]);
        for allowed in [
            "idp.example",
            "idp.example.",
            "a.portal.example",
            "a.b.portal.example",
            "xn--exmple-qta.org",
            "[::1]",
        ] {
            assert!(hosts.allows(allowed), "{allowed}");
        }
        for rejected in [
            "evil.example",
            "idp.example.evil.example",
            "evil-idp.example",
            "portal.example",
            "evilportal.example",
            "localhost",
            "",
        ] {
            assert!(!hosts.allows(rejected), "{rejected}");
        }
        assert!(OauthHosts::default().allows("any.example"));
    }

    #[test]
    fn an_entry_that_is_not_a_host_is_rejected() {
        let invalid = [
            "",
            "*",
            "*.",
            "*.*.a",
            "a.*.b",
            "*.127.0.0.1",
            "https://a",
            "a:443",
            "a/x",
            "a b",
            "u@a",
            "::1",
        ];
        for entry in invalid {
            assert_eq!(entry.parse::<HostPattern>(), Err(InvalidPattern), "{entry:?}");
        }
    }
}
