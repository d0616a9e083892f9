//! What can go wrong in a call, in words for the operator and with a verdict for the caller.

use crate::domain::mask;
use reqwest::StatusCode;
use std::{error::Error, fmt::Write, time::Duration};

/// What the caller can do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again later. What was asked for may or may not have been done.
    Retry {
        /// The gateway asked for at least this much patience; at most a day.
        after: Option<Duration>,
    },
    /// The access token is no longer accepted: get a new one and ask again, once.
    Unauthorized,
    /// The credential that a token is got with was refused for good.
    Rejected,
    /// The gateway refuses this member, although the token is good: consent was withdrawn, or access suspended.
    /// Says nothing about other members, and a new token would not help.
    Forbidden,
    /// Asking for the same again will not help.
    Permanent,
}

/// Why a call gave no answer. The message is for an operator; it holds no token, no URL and no credential,
/// and has no source whose own words could.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {fault}")]
pub struct GatewayError {
    operation: &'static str,
    fault: Fault,
}

impl GatewayError {
    pub(super) fn new(operation: &'static str, fault: Fault) -> Self {
        Self { operation, fault }
    }

    /// Whether the call was held back because the gateway asked everyone to wait.
    pub fn is_shared_wait(&self) -> bool {
        false
    }

    /// Whether the gateway asked to wait.
    pub fn is_throttled(&self) -> bool {
        self.fault.retry_after().is_some()
    }

    /// What can be done about it.
    pub fn verdict(&self) -> Verdict {
        match &self.fault {
            Fault::Unauthorized(_) => Verdict::Unauthorized,
            Fault::Rejected(_) => Verdict::Rejected,
            Fault::Forbidden(_) => Verdict::Forbidden,
            Fault::Permanent(_) => Verdict::Permanent,
            fault => Verdict::Retry { after: fault.retry_after() },
        }
    }
}

/// What went wrong. Every text in it is ours or masked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nothing of the request was sent.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The request may have been carried out.
    #[error("the connection broke before the answer was complete: {0}")]
    Interrupted(String),
    #[error("no complete answer within {}", humantime::format_duration(*.0))]
    TooSlow(Duration),
    #[error("the answer is larger than {} MiB", super::http::LARGEST_ANSWER >> 20)]
    TooLarge,
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    #[error("HTTP {}{}", .status.as_u16(), after_colon(.said))]
    Status { status: StatusCode, said: String, after: Option<Duration> },
    /// An error that may pass, in a well-formed answer.
    #[error("the answer is an error: {said}")]
    Passing { said: String, after: Option<Duration> },
    #[error("the access token is not accepted{}", after_colon(.0))]
    Unauthorized(String),
    #[error("the credential is refused{}", after_colon(.0))]
    Rejected(String),
    #[error("the gateway refuses this member{}", after_colon(.0))]
    Forbidden(String),
    #[error("{0}")]
    Permanent(String),
}

impl Fault {
    /// What went wrong below HTTP.
    pub(super) fn of_transport(error: reqwest::Error, timeout: Duration) -> Self {
        if error.is_connect() {
            Self::Unreachable(chain(&error.without_url()))
        } else if error.is_timeout() {
            Self::TooSlow(timeout)
        } else if error.is_builder() {
            Self::Permanent(format!("the request cannot be made: {}", chain(&error.without_url())))
        } else {
            Self::Interrupted(chain(&error.without_url()))
        }
    }

    /// How much patience the server asked for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { after, .. } | Self::Passing { after, .. } => *after,
            _ => None,
        }
    }
}

/// The words of an error and of what caused it, masked.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(words, ": {cause}");
        source = cause.source();
    }
    mask(&words)
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// A foreign text, masked; what we sent as a secret is taken out first, however short it is.
pub(super) fn masked(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    mask(&text)
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SetupError {
    key: &'static str,
    problem: String,
}

impl SetupError {
    pub(super) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }
}
