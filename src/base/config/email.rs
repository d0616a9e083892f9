//! `[email]`: the sender, and how emails leave.

use super::{diagnostic::Findings, host::is_loopback_host, values};
use crate::domain::Mailbox;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    Smtp,
    /// One file per email.
    File,
    Stdout,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    #[serde(deserialize_with = "values::parsed")]
    pub(crate) from: Mailbox,
    /// `None`: members reply to `from`.
    #[serde(deserialize_with = "optional_mailbox")]
    pub(crate) reply_to: Option<Mailbox>,
    pub(crate) transport: TransportKind,
    /// For `file`.
    pub(crate) directory: PathBuf,
    /// 0: no limit.
    #[serde(deserialize_with = "values::integer::<_, _, 0, 1_000_000>")]
    pub per_minute: u32,
    /// Emails that are sent at the same time.
    #[serde(deserialize_with = "values::integer::<_, _, 1, 256>")]
    pub(crate) connections: usize,
    pub smtp: Smtp,
}

fn optional_mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mailbox>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

impl Email {
    pub(super) fn validate(&self, findings: &mut Findings) {
        match self.transport {
            TransportKind::Smtp if self.smtp.host.is_empty() => {
                findings.error("email.smtp.host", "must not be empty; write the mail server's name");
            }
            TransportKind::File if self.directory.as_os_str().is_empty() => {
                findings.error("email.directory", "must not be empty; write a directory for the emails");
            }
            _ => {}
        }
        self.smtp.validate(findings);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Plain at first, then TLS; never continues without.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Loopback hosts only.
    None,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    pub host: String,
    #[serde(deserialize_with = "values::integer::<_, _, 1, 65_535>")]
    pub port: u16,
    pub tls: Tls,
    /// Empty: no login.
    pub(crate) username: String,
    pub(crate) password: SecretString,
    /// PEM certificates to trust in addition to the system's. Empty: none.
    pub(crate) ca_file: String,
    /// The EHLO name. Empty: the machine's fully qualified name, or its address if it has none.
    pub(crate) helo_name: String,
}

impl Smtp {
    /// The host as TLS and the connection need it, without the brackets of an IPv6 address. `None`: not a host.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.trim_matches(['[', ']']).to_owned()).ok()
    }

    /// Whether emails and passwords cannot cross a network in the clear.
    pub(crate) fn is_protected(&self) -> bool {
        self.tls != Tls::None || is_loopback_host(&self.host)
    }

    pub(super) fn validate(&self, findings: &mut Findings) {
        if !self.host.is_empty() && self.server_name().is_none() {
            findings.error("email.smtp.host", "must be a host name or an IP address");
        } else if !self.is_protected() {
            findings.error(
                "email.smtp.tls",
                "\"none\" is allowed for loopback hosts only; write \"starttls\" or \"implicit\"",
            );
        }
        if self.username.is_empty() != self.password.expose_secret().is_empty() {
            let (key, because) = if self.username.is_empty() {
                ("email.smtp.username", "email.smtp.password")
            } else {
                ("email.smtp.password", "email.smtp.username")
            };
            findings.error_because_of(
                key,
                because,
                format!("must be set together with {because}; set both or neither"),
            );
        }
        let in_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !self.helo_name.chars().all(in_a_name) {
            findings.error(
                "email.smtp.helo_name",
                "must be a full host name, such as \"notices.example.org\", or \"\"",
            );
        }
        if !self.ca_file.is_empty() && !Path::new(&self.ca_file).is_file() {
            findings.error(
                "email.smtp.ca_file",
                "must be a readable PEM file, or \"\" for the system's certificates only",
            );
        }
    }
}
