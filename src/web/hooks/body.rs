//! The bodies of hooks, and the responses that all hooks share.

use crate::store::StoreError;
use crate::web::problem::Problem;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use std::time::Duration;

/// While other writers hold the database.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(10);

pub(super) type Body = Result<Bytes, BytesRejection>;

pub(super) fn bytes(body: Body) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        status => Problem::new(status, "the body was cut off"),
    })
}

/// The sender tries again.
pub(super) fn unavailable(error: &StoreError) -> Problem {
    let detail = if matches!(error, StoreError::Busy) { "busy" } else { "an error of the daemon" };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(BUSY_RETRY_AFTER)
}
