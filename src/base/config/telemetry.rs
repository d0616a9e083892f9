//! `[telemetry]`: logs, the heartbeat, and traces.

use super::diagnostic::Findings;
use super::values;
use serde::{Deserialize, Deserializer, de::Error};
use std::fmt;
use std::str::FromStr;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use url::Url;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    #[serde(deserialize_with = "values::parsed")]
    pub(crate) log: LogDirectives,
    pub(crate) format: LogFormat,
    /// Requested after each complete sweep. A secret: with it, anybody can silence the alarm.
    pub(crate) heartbeat_url: HeartbeatUrl,
    /// Whether a sweep that stopped early requests `<heartbeat_url>/fail`.
    pub(crate) heartbeat_fail: bool,
    /// A sweep requests the heartbeat URL if at most this share of unpaused members is unclear or skipped, 0 to 1.
    #[serde(deserialize_with = "values::share")]
    pub(crate) heartbeat_max_unclear: f64,
    /// Of the collector that gets traces.
    pub(crate) otlp_endpoint: OtlpEndpoint,
}

impl Telemetry {
    pub(super) fn validate(&self, findings: &mut Findings) {
        if self.otlp_endpoint.url().is_some() && !cfg!(feature = "otlp") {
            findings.error(
                "telemetry.otlp_endpoint",
                "this build cannot send traces; build with --features otlp",
            );
        }
    }
}

/// An https URL, or an http URL of a loopback host; "" for none. Its text is never printed.
#[derive(Clone, Default)]
pub(crate) struct HeartbeatUrl(Option<Url>);

impl HeartbeatUrl {
    pub(crate) fn expose(&self) -> Option<&Url> {
        self.0.as_ref()
    }
}

impl fmt::Debug for HeartbeatUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeartbeatUrl")
    }
}

impl<'de> Deserialize<'de> for HeartbeatUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        values::optional_secret_url(deserializer).map(Self)
    }
}

/// An https URL, or an http URL of a loopback host, without credentials; "" for none.
#[derive(Clone, Debug, Default)]
pub(crate) struct OtlpEndpoint(Option<Url>);

impl OtlpEndpoint {
    pub(crate) fn url(&self) -> Option<&Url> {
        self.0.as_ref()
    }
}

impl<'de> Deserialize<'de> for OtlpEndpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = values::optional_secure_url(deserializer)?;
        if url.as_ref().is_some_and(|url| url.query().is_some() || url.fragment().is_some()) {
            return Err(D::Error::custom("must end with its path, such as \"https://host/path\""));
        }
        Ok(Self(url))
    }
}

/// A level, or directives such as `info,reconnectd::detect=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogDirectives(String);

impl LogDirectives {
    pub(crate) fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogDirectives {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // EnvFilter reads a bare word that is not a level as a target, so "verbose" would silence everything.
        let is_misspelled = !text.contains('[')
            && text.split(',').map(str::trim).any(|directive| {
                !directive.contains(['=', ':']) && directive.parse::<LevelFilter>().is_err()
            });
        if is_misspelled || EnvFilter::try_new(text).is_err() {
            return Err("must be error, warn, info, debug, or trace, \
                        or directives such as \"info,reconnectd::detect=debug\"");
        }
        Ok(Self(text.to_owned()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}
