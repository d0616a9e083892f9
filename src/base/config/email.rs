//! `[email]`: who the mails are from and how they leave.

use super::{diagnostic::Report, host::is_loopback_host};
use crate::domain::EmailAddress;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::{Path, PathBuf};

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
    pub(crate) from: String,
    /// Where answers go; may be empty.
    pub(crate) reply_to: String,
    /// How mails leave.
    pub(crate) transport: TransportKind,
    /// For `file`.
    pub(crate) directory: PathBuf,
    /// At most so many a minute.
    pub per_minute: u32,
    /// `[email.smtp]`
    pub smtp: Smtp,
}

impl Email {
    pub(super) fn validate(&self, report: &mut Report) {
        if !is_mailbox(&self.from) {
            report.error("email.from", "is not a sender; write \"Name <name@domain>\"");
        }
        if !self.reply_to.is_empty() && !is_mailbox(&self.reply_to) {
            report
                .error("email.reply_to", "is not an address; write \"Name <name@domain>\", or \"\" for none");
        }
        if self.per_minute == 0 {
            report.error("email.per_minute", "is 0; write at least 1");
        }
        match self.transport {
            TransportKind::Smtp if self.smtp.host.is_empty() => {
                report.error("email.smtp.host", "is empty; write the mail server's name");
            }
            TransportKind::File if self.directory.as_os_str().is_empty() => {
                report.error("email.directory", "is empty; write the directory that mails go to");
            }
            _ => {}
        }
        self.smtp.validate(report);
    }
}

/// `address` or `Name <address>` (RFC 5322, section 3.4), and nothing that could split a header.
fn is_mailbox(text: &str) -> bool {
    let address = match text.trim().strip_suffix('>') {
        Some(text) => {
            text.rsplit_once('<').map(|(name, address)| (!name.contains(['<', '>'])).then_some(address))
        }
        None => Some(Some(text)),
    };
    !text.chars().any(char::is_control)
        && address.flatten().is_some_and(|address| address.parse::<EmailAddress>().is_ok())
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
    pub(crate) username: String,
    /// For `username`.
    pub(crate) password: SecretString,
    /// PEM certificates to trust besides the system's; may be empty.
    pub(crate) ca_file: String,
    /// The name that the daemon gives for itself (EHLO); empty: the machine's, where that is a full one, else its address.
    pub(crate) helo_name: String,
}

impl Smtp {
    pub(super) fn validate(&self, report: &mut Report) {
        if self.port == 0 {
            report.error("email.smtp.port", "is 0; write 25, 465 or 587");
        }
        if self.tls == Tls::None && !is_loopback_host(&self.host) {
            report.error(
                "email.smtp.tls",
                "\"none\" is for loopback hosts only; write \"starttls\" or \"implicit\"",
            );
        }
        if self.username.is_empty() != self.password.expose_secret().is_empty() {
            let (key, because) = if self.username.is_empty() {
                ("email.smtp.username", "email.smtp.password")
            } else {
                ("email.smtp.password", "email.smtp.username")
            };
            report.error_because_of(key, because, format!("is needed by {because}; give both, or neither"));
        }
        let in_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !self.helo_name.chars().all(in_a_name) {
            report.error(
                "email.smtp.helo_name",
                "is no host name; write a full one, such as \"notices.example.org\", or \"\"",
            );
        }
        if !self.ca_file.is_empty() && !Path::new(&self.ca_file).is_file() {
            report.error(
                "email.smtp.ca_file",
                "is no file that can be read; name a PEM file, \
                 or write \"\" for the system's certificates alone",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_mailbox;

    #[test]
    fn a_mailbox_is_an_address_perhaps_with_a_name() {
        for good in ["a@b.example", "A B <a@b.example>", "\"B, A\" <a@b.example>", "<a@b.example>"] {
            assert!(is_mailbox(good), "{good}");
        }
        for bad in [
            "",
            "A B",
            "A <a>",
            "a@b.example>",
            "A <a@b.example",
            "A\r\nBcc: <a@b.example>",
            "A <b> <a@b.example>",
        ] {
            assert!(!is_mailbox(bad), "{bad:?}");
        }
    }
}
