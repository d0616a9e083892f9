//! What a failure to send means.

use crate::domain::mask;
use std::{fmt, io};

/// What the mail server, or the disk, said when it took a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Masked; often names the server's queue entry, which helps an operator to trace a mail.
    pub(crate) reply: String,
}

/// What a failure means for the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// A transient failure. At [`Stage::Connect`], it is not about this email.
    Retry,
    /// A permanent failure of this email or its recipient.
    Abandon,
    /// A permanent failure whose text is about the sender: its name, its address, or its right to send. Servers report
    /// this as late as at the recipient, and some mean the recipient. If the server accepts other email in the
    /// meantime, this email is at fault.
    MaybeSender,
    /// The server rejects the operator's configuration. Every email would fail, so the queue waits and nothing is
    /// abandoned.
    Misconfigured,
    /// The mail was handed over whole and the answer was lost: it may have been accepted, and another attempt may make
    /// a second copy (RFC 5321, section 4.5.3.2.6).
    Indeterminate,
}

/// How far the conversation had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reaching the server and its greeting.
    Connect,
    /// Protecting the connection.
    Tls,
    /// Logging in.
    Login,
    /// Naming the sender.
    Sender,
    /// Naming the recipient.
    Recipient,
    /// Handing the mail over.
    Data,
    /// Writing to this machine's own files.
    Local,
}

impl Stage {
    fn description(self) -> &'static str {
        match self {
            Self::Connect => "connecting to the mail server failed",
            Self::Tls => "protecting the connection to the mail server failed",
            Self::Login => "the mail server refused the log-in",
            Self::Sender => "the mail server refused the sender",
            Self::Recipient => "the mail server refused the recipient",
            Self::Data => "the mail server did not take the mail",
            Self::Local => "writing the mail failed",
        }
    }
}

/// A mail that was not handed over, or perhaps was. Its text is masked: servers quote addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SendError {
    /// What to do about it.
    pub(crate) disposition: Disposition,
    /// How far it came.
    pub(crate) stage: Stage,
    /// The server's reply code, when it replied.
    pub(crate) code: Option<u16>,
    /// What the server or the system said.
    text: String,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.stage.description())?;
        if let Some(code) = self.code {
            write!(f, ": {code}")?;
        }
        if !self.text.is_empty() {
            write!(f, "{}{}", if self.code.is_some() { " " } else { ": " }, self.text)?;
        }
        Ok(())
    }
}

impl SendError {
    /// A failure without a reply of the server's.
    pub(super) fn new(disposition: Disposition, stage: Stage, text: &str) -> Self {
        Self { disposition, stage, code: None, text: mask(text) }
    }

    /// Whether the server ended the conversation before the mail was handed over.
    pub(super) fn is_about_the_connection(&self) -> bool {
        self.disposition == Disposition::Retry && matches!(self.code, None | Some(421))
    }

    /// With advice for the operator, where the text shows this sign.
    pub(super) fn with_hint(mut self, sign: &str, advice: &str) -> Self {
        if self.text.contains(sign) {
            self.text = format!("{}; {advice}", self.text);
        }
        self
    }

    /// Removes our password, which a server can repeat.
    pub(super) fn redacting(mut self, secret: &str) -> Self {
        if !secret.is_empty() {
            self.text = self.text.replace(secret, "[secret]");
        }
        self
    }

    /// A failure to write here: a full disk or missing rights, which the operator mends.
    pub(super) fn local(error: io::Error) -> Self {
        Self::new(Disposition::Misconfigured, Stage::Local, &error.to_string())
    }

    /// What a failed step of the conversation means. Before the final dot a lost connection is harmless. `addresses` are
    /// those of the mail, however oddly they may be written.
    pub(super) fn smtp(stage: Stage, error: &lettre::transport::smtp::Error, addresses: &[String]) -> Self {
        let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        let text = addresses.iter().fold(text, |text, address| text.replace(address, "[address]"));
        let code = error.status().map(u16::from);
        let disposition = code.map_or(Disposition::Retry, |code| disposition(stage, code, &text));
        Self { disposition, stage, code, text: mask(&text) }
    }
}

/// What a refusal means: 4yz may pass (RFC 5321, section 4.2.1), 5yz is for good, and whose fault it is depends on the
/// stage, on the enhanced code (RFC 3463) and, as a last resort, on the words.
fn disposition(stage: Stage, code: u16, text: &str) -> Disposition {
    if code < 500 {
        return Disposition::Retry;
    }
    if !matches!(stage, Stage::Recipient | Stage::Data) {
        return Disposition::Misconfigured;
    }
    let text = mask(text).to_ascii_lowercase();
    let enhanced = text.split_whitespace().next().unwrap_or_default();
    // RFC 4954: log in first, or better; and what is wrong with the sender's address.
    if matches!(code, 530 | 534 | 535 | 538) || matches!(enhanced, "5.1.7" | "5.1.8" | "5.7.8" | "5.7.9") {
        return Disposition::Misconfigured;
    }
    // The mailbox: unknown, moved, disabled, full.
    let mailbox = enhanced.starts_with("5.1.") || matches!(enhanced, "5.2.0" | "5.2.1" | "5.2.2" | "5.2.3");
    let of_us = code == 504
        || enhanced.starts_with("5.7.")
        || SENDER_FAULT_PHRASES.iter().any(|words| text.contains(words));
    if of_us && !mailbox { Disposition::MaybeSender } else { Disposition::Abandon }
}

/// What servers say when they mean the one who sends, in lower case.
const SENDER_FAULT_PHRASES: [&str; 16] = [
    "helo",
    "client host",
    "sender address",
    "sender verif",
    "sender domain",
    "sendas",
    "send as",
    "relay access",
    "relaying",
    "to relay",
    "relay not",
    "authenticat",
    "not verified",
    "blocked",
    "listed",
    "spam",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_judged_by_stage_code_and_words() {
        use {Disposition::*, Stage::*};
        let cases = [
            (Recipient, 450, "4.2.0 greylisted", Retry, "greylisting passes"),
            (Recipient, 421, "closing", Retry, "a closing server comes back"),
            (Recipient, 550, "5.1.1 user unknown", Abandon, "nobody there"),
            (Recipient, 552, "5.2.2 mailbox full", Abandon, "for good, says the server"),
            (Recipient, 550, "no such user", Abandon, "in plain words, too"),
            (Recipient, 550, "5.1.1 <ann@relay.example.org>: User unknown", Abandon, "whatever it is called"),
            (Recipient, 550, "5.1.1 unknown (relay03.example.net)", Abandon, "whatever host reports it"),
            (Recipient, 550, "<ann@relaying.example>: no", Abandon, "an address is no reason"),
            (
                Recipient,
                554,
                "5.7.1 <a@b>: Relay access denied",
                MaybeSender,
                "the operator's, or a foreign domain",
            ),
            (
                Recipient,
                504,
                "5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
                MaybeSender,
                "us",
            ),
            (Recipient, 554, "5.7.1 Client host rejected: Access denied", MaybeSender, "us"),
            (Recipient, 553, "5.7.1 Sender address rejected: not owned by user", MaybeSender, "us"),
            (Recipient, 554, "Service unavailable; Client host blocked using a list", MaybeSender, "us"),
            (Recipient, 550, "5.7.1 Recipient address rejected: Access denied", MaybeSender, "who knows"),
            (Recipient, 550, "5.5.0 mailbox unavailable", Abandon, "nobody there"),
            (
                Recipient,
                530,
                "5.7.0 authentication required",
                Misconfigured,
                "a missing log-in is the operator's",
            ),
            (Data, 554, "5.6.0 message refused", Abandon, "this message"),
            (Data, 550, "5.1.1 user unknown", Abandon, "nobody there, found out late"),
            (Data, 554, "5.2.252 SendAsDenied", MaybeSender, "our right to send"),
            (Data, 554, "Message rejected: Email address is not verified", MaybeSender, "our right to send"),
            (Data, 550, "5.7.26 sender is unauthenticated", MaybeSender, "our domain"),
            (Data, 554, "5.7.1 rejected as spam", MaybeSender, "all of our email, or this one"),
            (Data, 550, "5.1.8 sender address unknown", Misconfigured, "every mail has this sender"),
            (Sender, 550, "sender refused", Misconfigured, "every mail has this sender"),
            (Sender, 451, "later", Retry, "a passing trouble"),
            (Login, 535, "bad credentials", Misconfigured, "the password is wrong"),
            (Login, 454, "temporary", Retry, "the server's own trouble"),
            (Connect, 554, "no service here", Misconfigured, "not for us"),
        ];
        for (stage, code, text, expected, why) in cases {
            assert_eq!(disposition(stage, code, text), expected, "{why}");
        }
    }
}
