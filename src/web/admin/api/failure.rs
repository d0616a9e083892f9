//! What a failed request is answered with. No answer repeats anything of the request.

use crate::store::StoreError;
use crate::web::problem::Problem;
use axum::http::StatusCode;
use std::time::Duration;

/// While other writers hold the database, or it cannot be reached.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Importing { .. }) {
            return importing();
        }
        match error.code() {
            "database_locked" => busy(),
            code => {
                tracing::error!(event = code, %error, "a request to the API failed");
                let detail = format!("{code}: the log of the daemon says more");
                if matches!(code, "database_unreachable" | "database_timeout") {
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER)
                } else {
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
                }
            }
        }
    }
}

pub(super) fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database is busy; nothing was changed")
        .retry_after(RETRY_AFTER)
}

pub(super) fn importing() -> Problem {
    Problem::new(StatusCode::CONFLICT, "another import is running; nothing was changed")
        .retry_after(RETRY_AFTER)
}

pub(super) fn internal(event: &'static str, error: &dyn std::error::Error) -> Problem {
    tracing::error!(event, %error, "a request to the API failed");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the log of the daemon says more")
}

pub(super) fn bad_request(detail: impl ToString) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

pub(super) fn not_found(detail: impl ToString) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, detail)
}

pub(super) fn conflict(detail: impl ToString) -> Problem {
    Problem::new(StatusCode::CONFLICT, detail)
}

pub(super) fn unprocessable(detail: impl ToString) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}
