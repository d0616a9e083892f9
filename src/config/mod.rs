//! The configuration: a struct per section. Defaults stand in `config/reconnectd.toml`, which is embedded.

mod sections;

pub use sections::*;

use serde::Deserialize;

/// The commented default file.
pub const DEFAULTS: &str = include_str!("../../config/reconnectd.toml");

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
