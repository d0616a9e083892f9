//! The outcomes of sending an email.

use super::bad_address::{BadAddress, bad_address};
use crate::{base::instances::Obstacle, domain::mask};
use std::{fmt, io};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Masked. Often names the server's queue entry, with which an operator can trace an email.
    pub(crate) reply: String,
}

/// The meaning of a failure for the email.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Retry later. At [`Stage::Connect`], the server has not judged this email yet.
    Retry,
    /// The server rejects this email or its recipient permanently.
    Abandon,
    /// A permanent rejection whose text speaks of the sender: its name, address, or right to send. Servers send it as
    /// late as for the recipient, and some mean the recipient. If the server accepts other emails, this one is at fault.
    MaybeSender,
    /// The server rejects the operator's setup, so every email would fail. The queue waits and nothing is abandoned.
    Misconfigured,
    /// The whole email was sent but the response was lost. The server may have accepted it, and a retry may deliver a
    /// second copy (RFC 5321, section 4.5.3.2.6).
    Indeterminate,
}

/// The step of the SMTP session that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Includes the greeting.
    Connect,
    Tls,
    Login,
    Sender,
    Recipient,
    Data,
    /// Writing a file or standard output, or this instance itself.
    Local,
}

impl Stage {
    /// The code in traces.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Data => "data",
            Self::Local => "local",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Connect => "connecting to the mail server failed",
            Self::Tls => "TLS with the mail server failed",
            Self::Login => "the mail server rejected the login",
            Self::Sender => "the mail server rejected the sender",
            Self::Recipient => "the mail server rejected the recipient",
            Self::Data => "the mail server did not accept the email",
            Self::Local => "the email was not handed over",
        }
    }
}

/// A failed attempt. Its text is masked: servers quote addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SendError {
    pub(crate) disposition: Disposition,
    pub(crate) stage: Stage,
    /// The reply code; `None` without a reply.
    pub(crate) code: Option<u16>,
    /// From the server or the system.
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
    /// A failure without a reply code.
    pub(super) fn new(disposition: Disposition, stage: Stage, text: &str) -> Self {
        Self { disposition, stage, code: None, text: mask(text) }
    }

    /// Whether the connection ended before the email was sent.
    pub(super) fn is_about_the_connection(&self) -> bool {
        self.disposition == Disposition::Retry && matches!(self.code, None | Some(421))
    }

    /// Whether the next address of the host may work.
    pub(super) fn is_about_the_address(&self) -> bool {
        self.disposition == Disposition::Retry && matches!(self.stage, Stage::Connect | Stage::Tls)
    }

    /// Whether the server may limit the emails per session: it judges this email only in a fresh session.
    pub(super) fn may_be_a_session_limit(&self) -> bool {
        match self.disposition {
            Disposition::Indeterminate => false,
            Disposition::Retry => true,
            _ => self.stage == Stage::Sender,
        }
    }

    /// Whether the server rejected the recipient or the email for the moment (4yz).
    pub(crate) fn is_transient_rejection(&self) -> bool {
        self.disposition == Disposition::Retry
            && self.code.is_some()
            && matches!(self.stage, Stage::Recipient | Stage::Data)
    }

    /// What a permanent rejection of the recipient says about the address.
    pub(crate) fn bad_address(&self) -> Option<BadAddress> {
        let is_rejection = self.disposition == Disposition::Abandon && self.stage == Stage::Recipient;
        self.code.filter(|_| is_rejection).and_then(|code| bad_address(code, &self.text))
    }

    /// Whether the server, which responds, refused one more session.
    pub(super) fn is_refused_session(&self) -> bool {
        self.disposition == Disposition::Retry && self.stage == Stage::Connect && self.code.is_some()
    }

    /// Nothing was handed over, because another instance may be sending the email.
    pub(super) fn obstacle(obstacle: Obstacle) -> Self {
        Self::new(Disposition::Retry, Stage::Local, obstacle.code())
    }

    pub(super) fn no_session() -> Self {
        Self::new(
            Disposition::Retry,
            Stage::Connect,
            "the server allows no more sessions, and none became free",
        )
    }

    /// Adds a hint for the operator if the text contains `sign`.
    pub(super) fn with_hint(mut self, sign: &str, advice: &str) -> Self {
        if self.text.contains(sign) {
            self.text = format!("{}; {advice}", self.text);
        }
        self
    }

    /// Removes the password, which a server may repeat.
    pub(super) fn redacting(mut self, secret: &str) -> Self {
        if !secret.is_empty() {
            self.text = self.text.replace(secret, "[secret]");
        }
        self
    }

    /// A full disk or missing permissions, which the operator has to correct.
    pub(super) fn local(error: io::Error) -> Self {
        Self::new(Disposition::Misconfigured, Stage::Local, &error.to_string())
    }

    /// Before the final dot, a lost connection is harmless. `addresses` are removed from the text.
    pub(super) fn smtp(stage: Stage, error: &lettre::transport::smtp::Error, addresses: &[String]) -> Self {
        let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        let text = addresses.iter().fold(text, |text, address| text.replace(address, "[address]"));
        let code = error.status().map(u16::from);
        let disposition = code.map_or(Disposition::Retry, |code| disposition(stage, code, &text));
        Self { disposition, stage, code, text: mask(&text) }
    }
}

/// 4yz is transient and 5yz is permanent (RFC 5321, section 4.2.1). The stage, the enhanced code (RFC 3463) and, as a
/// last resort, the text tell who is at fault.
fn disposition(stage: Stage, code: u16, text: &str) -> Disposition {
    if code < 500 {
        return Disposition::Retry;
    }
    if !matches!(stage, Stage::Recipient | Stage::Data) {
        return Disposition::Misconfigured;
    }
    let text = mask(text).to_ascii_lowercase();
    let enhanced = text.split_whitespace().next().unwrap_or_default();
    // Missing or weak authentication (RFC 4954), or an invalid sender address.
    if matches!(code, 530 | 534 | 535 | 538) || matches!(enhanced, "5.1.7" | "5.1.8" | "5.7.8" | "5.7.9") {
        return Disposition::Misconfigured;
    }
    // The mailbox: unknown, moved, disabled, full.
    let mailbox = enhanced.starts_with("5.1.") || matches!(enhanced, "5.2.0" | "5.2.1" | "5.2.2" | "5.2.3");
    let blames_sender = code == 504
        || enhanced.starts_with("5.7.")
        || SENDER_FAULT_PHRASES.iter().any(|words| text.contains(words));
    if blames_sender && !mailbox { Disposition::MaybeSender } else { Disposition::Abandon }
}

/// Phrases that blame the sender, in lower case.
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
            (Recipient, 550, "5.1.1 unknown (relay03.example.net)", Abandon, "whichever relay says so"),
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
            (Data, 554, "5.7.1 rejected as spam", MaybeSender, "all emails, or this one"),
            (Data, 550, "5.1.8 sender address unknown", Misconfigured, "every email has this sender"),
            (Sender, 550, "sender refused", Misconfigured, "every email has this sender"),
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
