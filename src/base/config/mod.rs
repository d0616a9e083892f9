//! The configuration: a struct per section that validates itself. Defaults stand in `config/reconnectd.toml`,
//! which is embedded; a file goes over them, and the environment over both.

mod admin;
mod email;
mod environment;
mod file;
mod gateway;
mod links;
mod load;
mod notices;
mod problem;
mod schedule;
mod schema;
mod storage;
mod sweep;
mod telemetry;
#[cfg(test)]
mod tests;
mod values;

pub use admin::Admin;
pub use email::{Email, Smtp, Tls, TransportKind};
pub use gateway::{Auth, AuthMode, Gateway};
pub use links::Links;
pub use load::Loaded;
pub use notices::{Disclosure, Notices, PerStatus, QuietHours, Storm};
pub use problem::{ConfigError, Place, Problem};
pub use schedule::Schedule;
pub use storage::{Database, Keys};
pub use sweep::Sweep;
pub use telemetry::{LogFormat, Telemetry};
pub use values::{Span, is_locale, is_loopback_host};

use problem::Report;
use serde::Deserialize;

/// The commented default file.
pub const DEFAULTS: &str = include_str!("../../../config/reconnectd.toml");

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[database]`
    pub database: Database,
    /// `[keys]`
    pub keys: Keys,
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[sweep]`
    pub sweep: Sweep,
    /// `[notices]`
    pub notices: Notices,
    /// `[storm]`
    pub storm: Storm,
    /// `[email]`
    pub email: Email,
    /// `[links]`
    pub links: Links,
    /// `[admin]`
    pub admin: Admin,
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
