//! The configuration: a struct per section that validates itself. Defaults stand in `config/reconnectd.toml`,
//! which is embedded; a file goes over them, and the environment over both.

mod admin;
mod email;
mod environment;
mod file;
mod gateway;
mod host;
mod links;
mod load;
mod notices;
mod oauth_hosts;
mod problem;
mod schedule;
mod schema;
mod signing;
mod storage;
mod sweep;
mod telemetry;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use admin::Admin;
pub use email::{Email, Smtp, Tls, TransportKind};
pub(crate) use gateway::{Auth, AuthMode, Gateway};
pub(crate) use host::is_loopback_host;
pub(crate) use links::Links;
pub(crate) use load::Loaded;
pub(crate) use notices::{Disclosure, Notices, PerStatus, Storm};
pub(crate) use oauth_hosts::OauthHosts;
pub(crate) use problem::ConfigError;
pub(crate) use schedule::Schedule;
pub(crate) use signing::{IdTokenLifetime, SigningAlgorithm};
pub(crate) use storage::{Database, Keys};
pub(crate) use sweep::Sweep;
pub use telemetry::{LogFormat, Telemetry};
pub(crate) use values::{Span, is_locale};

use problem::Report;
use serde::Deserialize;

/// The commented default file.
pub const DEFAULTS: &str = include_str!("../../../config/reconnectd.toml");

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[database]`
    pub(crate) database: Database,
    /// `[keys]`
    pub(crate) keys: Keys,
    /// `[gateway]`
    pub(crate) gateway: Gateway,
    /// `[sweep]`
    pub(crate) sweep: Sweep,
    /// `[notices]`
    pub notices: Notices,
    /// `[storm]`
    pub(crate) storm: Storm,
    /// `[email]`
    pub email: Email,
    /// `[links]`
    pub links: Links,
    /// `[admin]`
    pub(crate) admin: Admin,
    /// `[telemetry]`
    pub telemetry: Telemetry,
}

impl Config {
    fn validate(&self, report: &mut Report) {
        self.database.validate(report);
        self.keys.validate(report);
        self.gateway.validate(report);
        self.sweep.validate(report);
        self.notices.validate(report);
        self.storm.validate(report);
        self.email.validate(report);
        self.links.validate(report);
        self.admin.validate(report, &self.links);
        self.telemetry.validate(report);
    }
}
