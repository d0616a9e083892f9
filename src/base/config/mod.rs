//! The configuration: `config/reconnectd.toml`, which is embedded, under a file, under the environment.

mod admin;
mod bounces;
mod brand;
mod color;
mod database_url;
mod diagnostic;
mod email;
mod environment;
mod file;
mod gateway;
mod host;
mod layers;
mod links;
mod load;
mod notices;
mod oauth_hosts;
mod schedule;
mod schema;
mod secrets;
mod settings;
mod signing;
mod storage;
mod sweep;
mod telemetry;
#[cfg(test)]
mod tests;
mod values;
mod webhook;

pub use brand::Brand;
pub(crate) use color::{Color, format_contrast};
pub use database_url::{DatabaseUrl, PostgresUrl};
pub(crate) use diagnostic::ConfigError;
pub use email::{Email, Smtp, Tls, TransportKind};
pub(crate) use gateway::{Auth, AuthMode, Gateway};
pub(crate) use host::{is_local_url, is_loopback_host};
pub(crate) use links::Links;
pub(crate) use load::Loaded;
pub(crate) use notices::{Channel, Disclosure, Notices, Storm};
pub(crate) use oauth_hosts::OauthHosts;
pub(crate) use schedule::Schedule;
pub use schema::DEFAULTS;
pub use settings::Config;
pub(crate) use signing::{IdTokenLifetime, SigningAlgorithm};
pub use telemetry::{LogFormat, Telemetry};
pub use webhook::Webhook;
pub(crate) use webhook::WebhookSecret;
