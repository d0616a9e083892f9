//! `/api/v1/…`.

use super::state::AdminState;
use crate::web::problem::Problem;
use axum::Router;
use axum::http::StatusCode;

pub(super) fn router() -> Router<AdminState> {
    Router::new().fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such resource"))
}
