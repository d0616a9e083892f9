//! `[telemetry]`: what is said about the daemon itself.

use super::diagnostic::Report;
use serde::Deserialize;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// `[telemetry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A level, or directives such as `info,reconnectd::detect=debug`.
    pub(crate) log: String,
    /// `text` or `json`.
    pub(crate) format: LogFormat,
    /// Asked after each complete sweep; may be empty.
    pub(crate) heartbeat_url: String,
    /// The largest share of unpaused members, from 0 to 1, that may be unclear or skipped in a sweep that sends the
    /// heartbeat.
    pub(crate) heartbeat_max_unclear: f64,
}

impl Telemetry {
    pub(super) fn validate(&self, report: &mut Report) {
        // EnvFilter takes a bare word that is no level for a target, so that "verbose" would silence
        // everything.
        let misspelt = !self.log.contains('[')
            && self.log.split(',').map(str::trim).any(|directive| {
                !directive.contains(['=', ':']) && directive.parse::<LevelFilter>().is_err()
            });
        if misspelt || EnvFilter::try_new(&self.log).is_err() {
            report.error(
                "telemetry.log",
                "is not understood; write error, warn, info, debug or trace, \
                 or directives as in \"info,reconnectd::detect=debug\"",
            );
        }
        if !(0.0..=1.0).contains(&self.heartbeat_max_unclear) {
            report.error(
                "telemetry.heartbeat_max_unclear",
                "is not a share; write a number from 0 to 1, such as 0.1",
            );
        }
        let heartbeat = url::Url::parse(&self.heartbeat_url);
        if !self.heartbeat_url.is_empty()
            && !heartbeat.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            report.error(
                "telemetry.heartbeat_url",
                "is not an absolute URL; write https://host/path, or \"\" for none",
            );
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
