//! A struct per section.

use chrono_tz::Tz;
use secrecy::SecretString;
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://PATH`.
    pub url: String,
}

/// `[keys]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The key ring.
    pub file: PathBuf,
}

/// `[gateway]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The GraphQL endpoint.
    pub url: url::Url,
    /// Names the operator's app.
    pub client_key: SecretString,
    /// For one request, answer included.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Requests at once.
    pub max_in_flight: usize,
    /// 0: no limit.
    pub requests_per_second: u32,
    /// Hosts a reconnect URL may lead to; empty: any https host.
    pub oauth_hosts: Vec<String>,
    /// `[gateway.auth]`
    pub auth: Auth,
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
pub struct Auth {
    /// How tokens are got.
    pub mode: AuthMode,
    /// The token endpoint (`token_exchange`).
    pub token_url: String,
    /// PEM private key (`token_exchange`).
    pub signing_key: SecretString,
    /// `kid` (`token_exchange`).
    pub key_id: String,
    /// RS256, ES256 or EdDSA (`token_exchange`).
    pub algorithm: String,
    /// `iss` (`token_exchange`).
    pub issuer: String,
    /// `aud` (`token_exchange`).
    pub audience: String,
    /// Of an ID token (`token_exchange`).
    #[serde(with = "humantime_serde")]
    pub lifetime: Duration,
    /// The operator's endpoint (`broker`).
    pub broker_url: String,
    /// Its bearer token (`broker`).
    pub broker_token: SecretString,
}

/// `[sweep]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Six-field cron expression, UTC.
    pub schedule: String,
    /// Answers in a row that must show a connection broken.
    pub confirm_sweeps: u32,
    /// And for at least this long.
    #[serde(with = "humantime_serde")]
    pub confirm_after: Duration,
    /// How soon after recovery a new break resumes the old lapse.
    #[serde(with = "humantime_serde")]
    pub flap_window: Duration,
    /// Early polls, counted from the redemption.
    pub recheck: Vec<Span>,
}

/// A duration inside a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(with = "humantime_serde")] pub Duration);

/// What a mail may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disclosure {
    /// The operator only.
    Generic,
    /// What kind of source it is, too.
    Kind,
    /// The source's name, too.
    Name,
}

/// `[notices]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// What falls due within this time of a mail goes into it.
    #[serde(with = "humantime_serde")]
    pub digest_window: Duration,
    /// Between two mails to one member.
    #[serde(with = "humantime_serde")]
    pub min_gap: Duration,
    /// Mails to one member in 30 days.
    pub max_per_month: u32,
    /// `HH:MM-HH:MM`, or empty.
    pub quiet_hours: String,
    /// For members without one.
    pub time_zone: Tz,
    /// For members without one.
    pub locale: String,
    /// What a mail may tell.
    pub disclosure: Disclosure,
    /// Where what OAuth cannot repair is repaired; may be empty.
    pub app_url: String,
    /// A directory over the built-in templates; may be empty.
    pub templates: String,
    /// `[notices.expired]`
    pub expired: PerStatus,
    /// `[notices.disconnected]`
    pub disconnected: PerStatus,
}

/// `[notices.expired]`, `[notices.disconnected]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerStatus {
    /// Whether to mail at all.
    pub enabled: bool,
    /// Counted from the first mail.
    pub reminders: Vec<Span>,
}

/// `[storm]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Fewer lapses of one source are no storm.
    pub min_members: u32,
    /// Of the source's members, 0 to 1.
    pub share: f64,
    /// In which they lapse.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

/// How mails leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// To a mail server.
    Smtp,
    /// A file a mail.
    File,
    /// To standard output.
    Stdout,
}

/// `[email]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The sender, `Name <address>`.
    pub from: String,
    /// Where answers go; may be empty.
    pub reply_to: String,
    /// How mails leave.
    pub transport: TransportKind,
    /// For `file`.
    pub directory: PathBuf,
    /// At most so many a minute.
    pub per_minute: u32,
    /// `[email.smtp]`
    pub smtp: Smtp,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Plain first, then TLS, never without.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None; loopback hosts only.
    None,
}

/// `[email.smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Empty: no log-in.
    pub username: String,
    /// For `username`.
    pub password: SecretString,
    /// PEM certificates to trust besides the system's; may be empty.
    pub ca_file: String,
}

/// `[links]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// Where the public pages are served.
    pub listen: SocketAddr,
    /// What the mails' links start with.
    pub public_url: url::Url,
    /// How long a link lives.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
    /// Redemptions that one button allows, 1 to 5.
    pub max_redemptions: u32,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Where health, metrics and the API are served.
    pub listen: SocketAddr,
    /// Bearer token of the API.
    pub token: SecretString,
}

/// `[telemetry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A level, or directives such as `info,reconnectd::sweep=debug`.
    pub log: String,
    /// `text` or `json`.
    pub format: LogFormat,
    /// Asked after each complete sweep; may be empty.
    pub heartbeat_url: String,
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
