//! What a failure to send means.

use crate::domain::mask;
use std::{fmt, io};

/// What the mail server, or the disk, said when it took a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Masked; often names the server's queue entry, which helps an operator to trace a mail.
    pub reply: String,
}

/// What a failure means for the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Try again later. When the stage is [`Stage::Connect`], nothing was said about this mail yet.
    Retry,
    /// This mail, or its recipient, is refused for good.
    Abandon,
    /// Nothing is wrong with the mail: the operator's set-up is refused. Every other mail would fail alike, so the
    /// queue waits and nothing is given up.
    Operator,
    /// The mail was handed over whole and the answer was lost: it may have been accepted, and another attempt may make
    /// a second copy (RFC 5321, section 4.5.3.2.6).
    Unknown,
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
    fn words(self) -> &'static str {
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
    pub verdict: Verdict,
    /// How far it came.
    pub stage: Stage,
    /// The server's reply code, when it replied.
    pub code: Option<u16>,
    /// What the server or the system said.
    text: String,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.stage.words())?;
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
    pub(super) fn new(verdict: Verdict, stage: Stage, text: &str) -> Self {
        Self { verdict, stage, code: None, text: mask(text) }
    }

    /// Whether the server ended the conversation before it heard anything of this mail but whose it is.
    pub(super) fn is_about_the_connection(&self) -> bool {
        self.stage == Stage::Sender && self.verdict == Verdict::Retry && matches!(self.code, None | Some(421))
    }

    /// A failure to write here: a full disk or missing rights, which the operator mends.
    pub(super) fn local(error: io::Error) -> Self {
        Self::new(Verdict::Operator, Stage::Local, &error.to_string())
    }

    /// What a failed step of the conversation means. Before the final dot a lost connection is harmless.
    pub(super) fn smtp(stage: Stage, error: &lettre::transport::smtp::Error) -> Self {
        let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        let code = error.status().map(u16::from);
        let verdict = code.map_or(Verdict::Retry, |code| verdict(stage, code, &text));
        Self { verdict, stage, code, text: mask(&text) }
    }
}

/// What a refusal means: 4yz may pass (RFC 5321, section 4.2.1), 5yz is for good, and whose fault it is depends on the
/// stage and on the enhanced code (RFC 3463).
fn verdict(stage: Stage, code: u16, text: &str) -> Verdict {
    if code < 500 {
        return Verdict::Retry;
    }
    let about_us = match stage {
        Stage::Connect | Stage::Tls | Stage::Login | Stage::Sender | Stage::Local => true,
        Stage::Recipient | Stage::Data => {
            // 530, 534, 535, 538: log in first, or better (RFC 4954). 5.1.7 and 5.1.8: the sender's address.
            // 5.7.8 and 5.7.9: the log-in again. Refusals to relay have no code of their own.
            let enhanced = text.split_whitespace().next().unwrap_or_default();
            matches!(code, 530 | 534 | 535 | 538)
                || matches!(enhanced, "5.1.7" | "5.1.8" | "5.7.8" | "5.7.9")
                || text.to_ascii_lowercase().contains("relay")
        }
    };
    if about_us { Verdict::Operator } else { Verdict::Abandon }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_judged_by_stage_code_and_words() {
        use {Stage::*, Verdict::*};
        let cases = [
            (Recipient, 450, "4.2.0 greylisted", Retry, "greylisting passes"),
            (Recipient, 421, "closing", Retry, "a closing server comes back"),
            (Recipient, 550, "5.1.1 user unknown", Abandon, "nobody there"),
            (Recipient, 552, "5.2.2 mailbox full", Abandon, "for good, says the server"),
            (Recipient, 554, "5.7.1 <a@b>: Relay access denied", Operator, "relaying is the operator's"),
            (Recipient, 530, "5.7.0 authentication required", Operator, "so is a missing log-in"),
            (Data, 554, "5.6.0 message refused", Abandon, "this message"),
            (Data, 550, "5.1.8 sender address unknown", Operator, "every mail has this sender"),
            (Sender, 550, "sender refused", Operator, "every mail has this sender"),
            (Sender, 451, "later", Retry, "a passing trouble"),
            (Login, 535, "bad credentials", Operator, "the password is wrong"),
            (Login, 454, "temporary", Retry, "the server's own trouble"),
            (Connect, 554, "no service here", Operator, "not for us"),
        ];
        for (stage, code, text, expected, why) in cases {
            assert_eq!(verdict(stage, code, text), expected, "{why}");
        }
    }
}
