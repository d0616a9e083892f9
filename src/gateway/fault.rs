//! The causes of a failed request.

use crate::domain::mask;
use reqwest::StatusCode;
use std::{error::Error, fmt::Write, time::Duration};

/// One failed request.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) request_id: Option<String>,
    /// Whether the shared wait held the request back, or the request started it.
    pub(super) shared_wait: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let shared_wait = matches!(fault, Fault::HeldBack(_));
        Self { fault, request_id: None, shared_wait }
    }
}

/// The cause of a failure. Text from the gateway is masked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nothing of the request was sent.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The gateway may have carried out the request.
    #[error("the connection broke before the response was complete: {0}")]
    Interrupted(String),
    #[error("no complete response within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    #[error("the response is larger than {} MiB", .limit >> 20)]
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    #[error("the response cannot be read: {0}")]
    Unreadable(String),
    /// An HTTP status without a judgment of the gateway on the request.
    #[error("HTTP {}{}{}", .status.as_u16(), after_colon(.message), in_parentheses(*.check))]
    Status {
        status: StatusCode,
        message: String,
        retry_after: Option<Duration>,
        throttled: bool,
        /// What the operator should check if the cause may be on our side.
        check: Option<&'static str>,
    },
    /// An error that may pass, in a well-formed response.
    #[error("the response is an error: {message}{}", in_parentheses(*.check))]
    Transient {
        message: String,
        retry_after: Option<Duration>,
        throttled: bool,
        /// What the operator should check if the cause may be on our side.
        check: Option<&'static str>,
    },
    /// The request was not sent, because the gateway throttles everyone.
    #[error("not sent: the gateway throttles everyone, {} left to wait", humantime::format_duration(*.0))]
    HeldBack(Duration),
    #[error("the gateway does not accept the access token{}", after_colon(.0))]
    Unauthorized(String),
    #[error("the gateway rejects the credential{}", after_colon(.0))]
    Rejected(String),
    #[error("the gateway rejects this member{}", after_colon(.0))]
    Forbidden(String),
    #[error("{0}")]
    Permanent(String),
}

impl Fault {
    /// Classifies an error below HTTP, `elapsed` after the request began.
    pub(super) fn from_transport(error: reqwest::Error, elapsed: Duration, timeout: Duration) -> Self {
        if error.is_connect() {
            Self::Unreachable(masked_chain(&error.without_url()))
        } else if error.is_timeout() && elapsed >= timeout {
            Self::TimedOut(timeout)
        } else if error.is_builder() {
            Self::Permanent(format!("cannot build the request: {}", masked_chain(&error.without_url())))
        } else {
            // An HTTP/2 ping without a response is a timeout, too, but of the connection.
            Self::Interrupted(masked_chain(&error.without_url()))
        }
    }

    /// The outcome of the request, as the metrics name it.
    pub(super) fn code(&self) -> &'static str {
        match self {
            _ if self.is_throttled() => "throttled",
            Self::Unreachable(_) => "unreachable",
            Self::Interrupted(_) => "interrupted",
            Self::TimedOut(_) => "timed_out",
            Self::TooLarge { .. } | Self::Unreadable(_) => "unreadable",
            Self::Status { .. } | Self::Transient { .. } => "error",
            Self::HeldBack(_) => "held_back",
            Self::Unauthorized(_) => "unauthorized",
            Self::Rejected(_) => "rejected",
            Self::Forbidden(_) => "forbidden",
            Self::Permanent(_) => "refused",
        }
    }

    /// How long the gateway asked this caller to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::Transient { retry_after, .. } => *retry_after,
            Self::HeldBack(left) => Some(*left),
            _ => None,
        }
    }

    pub(super) fn with_retry_after_at_most(mut self, limit: Duration) -> Self {
        if let Self::Status { retry_after, .. } | Self::Transient { retry_after, .. } = &mut self {
            *retry_after = retry_after.map(|asked| asked.min(limit));
        }
        self
    }

    pub(super) fn is_throttled(&self) -> bool {
        matches!(self, Self::Status { throttled: true, .. } | Self::Transient { throttled: true, .. })
    }

    /// Whether the gateway itself judged the request, which shows that it does not throttle everyone.
    pub(super) fn is_judgment(&self) -> bool {
        matches!(self, Self::Unauthorized(_) | Self::Rejected(_) | Self::Forbidden(_) | Self::Permanent(_))
    }
}

/// The messages of an error and its causes, masked.
pub(super) fn masked_chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    mask(&text)
}

/// Masks foreign text. The secrets that we sent are removed first, however short they are.
pub(super) fn masked(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    mask(&text)
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn in_parentheses(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(" ({text})"))
}
