//! What can go wrong in a call, in words for the operator and with a verdict for the caller.

use crate::domain::mask;
use reqwest::StatusCode;
use std::{error::Error, fmt::Write, time::Duration};

/// What the caller can do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again later. What was asked for may or may not have been done.
    Retry {
        /// The gateway asked for at least this much patience; at most an hour.
        after: Option<Duration>,
    },
    /// The access token is no longer accepted: get a new one and ask again, once.
    Unauthorized,
    /// The gateway itself refuses the credential that a token is got with.
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
#[error("{operation}: {}{}", .failure.fault, quoted_id(.failure.request_id.as_deref()))]
pub struct GatewayError {
    operation: &'static str,
    failure: Box<Failure>,
}

impl GatewayError {
    pub(super) fn new(operation: &'static str, failure: impl Into<Failure>) -> Self {
        Self { operation, failure: Box::new(failure.into()) }
    }

    /// What can be done about it.
    pub fn verdict(&self) -> Verdict {
        match &self.failure.fault {
            Fault::Unauthorized(_) => Verdict::Unauthorized,
            Fault::Rejected(_) => Verdict::Rejected,
            Fault::Forbidden(_) => Verdict::Forbidden,
            Fault::Permanent(_) => Verdict::Permanent,
            fault => Verdict::Retry { after: fault.retry_after() },
        }
    }

    /// Whether the gateway asked this caller to slow down: HTTP 429, 503 with `Retry-After`, or an issue `throttled`.
    /// False for a call that the shared wait held back: the gateway never saw it.
    pub(crate) fn is_throttled(&self) -> bool {
        self.failure.fault.is_throttled()
    }

    /// Whether the gateway throttles everyone: the call was held back by the shared wait, began it, or met it.
    pub(crate) fn is_shared_wait(&self) -> bool {
        self.failure.shared_wait
    }

    /// The response's `x-request-id`, by which the gateway's support finds the call.
    #[cfg(test)]
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.failure.request_id.as_deref()
    }
}

/// One failed try.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) request_id: Option<String>,
    pub(super) shared_wait: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let shared_wait = matches!(fault, Fault::HeldBack(_));
        Self { fault, request_id: None, shared_wait }
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
    /// An HTTP status that is not the gateway's own word on what was asked.
    #[error("HTTP {}{}{}", .status.as_u16(), after_colon(.said), in_brackets(*.check))]
    Status {
        status: StatusCode,
        said: String,
        after: Option<Duration>,
        throttled: bool,
        /// What the operator is to check, when the cause may be on our side.
        check: Option<&'static str>,
    },
    /// An error that may pass, in a well-formed answer.
    #[error("the answer is an error: {said}{}", in_brackets(*.check))]
    Passing { said: String, after: Option<Duration>, throttled: bool, check: Option<&'static str> },
    /// Not sent: the gateway has asked everyone to wait.
    #[error("not sent: the gateway throttles everyone, {} left to wait", humantime::format_duration(*.0))]
    HeldBack(Duration),
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
    /// What went wrong below HTTP, `elapsed` after the request was begun.
    pub(super) fn of_transport(error: reqwest::Error, elapsed: Duration, timeout: Duration) -> Self {
        if error.is_connect() {
            Self::Unreachable(chain(&error.without_url()))
        } else if error.is_timeout() && elapsed >= timeout {
            Self::TooSlow(timeout)
        } else if error.is_builder() {
            Self::Permanent(format!("the request cannot be made: {}", chain(&error.without_url())))
        } else {
            // An unanswered ping is a time-out, too, but of the connection.
            Self::Interrupted(chain(&error.without_url()))
        }
    }

    /// How much patience the server asked for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { after, .. } | Self::Passing { after, .. } => *after,
            Self::HeldBack(left) => Some(*left),
            _ => None,
        }
    }

    /// The same, with at most this much patience.
    pub(super) fn with_patience(mut self, most: Duration) -> Self {
        if let Self::Status { after, .. } | Self::Passing { after, .. } = &mut self {
            *after = after.map(|asked| asked.min(most));
        }
        self
    }

    pub(super) fn is_throttled(&self) -> bool {
        matches!(self, Self::Status { throttled: true, .. } | Self::Passing { throttled: true, .. })
    }

    /// Whether the gateway itself judged the request: it does not throttle everyone.
    pub(super) fn is_judgment(&self) -> bool {
        matches!(self, Self::Unauthorized(_) | Self::Rejected(_) | Self::Forbidden(_) | Self::Permanent(_))
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

fn in_brackets(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(" ({text})"))
}

fn quoted_id(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" [x-request-id {id}]"))
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
