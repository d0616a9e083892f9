//! The errors that callers see: a message for the operator and a verdict for the caller.

use super::fault::{Failure, Fault};
use std::time::Duration;

/// What the caller can do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Retry later. The gateway may or may not have carried out the request.
    Retry {
        /// The shortest wait that the gateway asked for; at most an hour.
        after: Option<Duration>,
    },
    /// The gateway no longer accepts the access token. Get a new one and retry once.
    Unauthorized,
    /// The gateway itself rejects the credential that access tokens are requested with.
    Rejected,
    /// The gateway rejects this member although the token is valid: consent was withdrawn, or access suspended. Other
    /// members are not affected, and a new token does not help.
    Forbidden,
    /// The same request will fail again.
    Permanent,
}

/// A call without a usable response. The message is for an operator; it contains no token, URL, or credential, and
/// the error has no source that could contain one.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {}{}", .failure.fault, request_id_suffix(.failure.request_id.as_deref()))]
pub struct GatewayError {
    operation: &'static str,
    failure: Box<Failure>,
}

impl GatewayError {
    pub(super) fn new(operation: &'static str, failure: impl Into<Failure>) -> Self {
        Self { operation, failure: Box::new(failure.into()) }
    }

    pub fn verdict(&self) -> Verdict {
        match &self.failure.fault {
            Fault::Unauthorized(_) => Verdict::Unauthorized,
            Fault::Rejected(_) => Verdict::Rejected,
            Fault::Forbidden(_) => Verdict::Forbidden,
            Fault::Permanent(_) => Verdict::Permanent,
            fault => Verdict::Retry { after: fault.retry_after() },
        }
    }

    /// The outcome of the last request, as the metrics name it.
    pub(crate) fn code(&self) -> &'static str {
        self.failure.fault.code()
    }

    /// Whether the gateway asked this caller to slow down: HTTP 429, 503 with `Retry-After`, or an issue `throttled`.
    /// False for a call that the shared wait held back: the gateway never saw it.
    pub(crate) fn is_throttled(&self) -> bool {
        self.failure.fault.is_throttled()
    }

    /// Whether the gateway throttles everyone: the call started the shared wait, or the wait applied to it.
    pub(crate) fn is_shared_wait(&self) -> bool {
        self.failure.shared_wait
    }

    /// The response's `x-request-id`, by which the gateway's support finds the call.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.failure.request_id.as_deref()
    }
}

fn request_id_suffix(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" [x-request-id {id}]"))
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
