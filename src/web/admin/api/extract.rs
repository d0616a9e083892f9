//! Extractors whose rejections are problems.

use super::failure::{bad_request, not_found, unprocessable};
use crate::web::problem::Problem;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The id in the path.
pub(super) struct Id<T>(pub(super) T);

impl<S: Send + Sync, T: for<'a> From<&'a str>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = id.map_err(|_: PathRejection| bad_request("the id in the path is not UTF-8"))?;
        // No stored text has this character, and PostgreSQL accepts none.
        if id.contains('\0') {
            return Err(not_found("no id contains a NUL character"));
        }
        Ok(Self(T::from(id.as_str())))
    }
}

pub(super) struct ApiQuery<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|_: QueryRejection| {
            bad_request(
                "a query parameter is unknown or is given twice; /api/v1/openapi.json names the parameters",
            )
        })?;
        Ok(Self(query))
    }
}

/// A body in JSON.
pub(super) struct ApiJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Json::<T>::from_request(request, state).await;
        let Json(body) = body.map_err(|rejection| rejected(&rejection))?;
        Ok(Self(body))
    }
}

fn rejected(rejection: &JsonRejection) -> Problem {
    match rejection {
        JsonRejection::JsonDataError(_) => {
            unprocessable("the body does not fit its schema in /api/v1/openapi.json")
        }
        JsonRejection::JsonSyntaxError(_) => bad_request("the body is not valid JSON"),
        JsonRejection::MissingJsonContentType(_) => unsupported("application/json"),
        rejection if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
        }
        _ => bad_request("the body cannot be read"),
    }
}

pub(super) fn unsupported(accepted: &str) -> Problem {
    let detail = format!("the Content-Type must be {accepted}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
}
