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
        // Any JSON first, which also checks the type and the size.
        let Json(value) = Json::<serde_json::Value>::from_request(request, state)
            .await
            .map_err(|rejection| rejected(&rejection))?;
        let body = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            unprocessable(explain(&path, &error.inner().to_string()))
        })?;
        Ok(Self(body))
    }
}

/// What is wrong with a body, by the names of its schema. Serde's own message can repeat a value, such as an address.
fn explain(path: &str, message: &str) -> String {
    const SCHEMA: &str = "/api/v1/openapi.json has the schema";
    let expected =
        message.split_once("expected ").map(|(_, expected)| expected.trim_start_matches("one of "));
    if let Some(field) = message.strip_prefix("missing field ") {
        format!("{field} is missing")
    } else if message.starts_with("unknown field") {
        format!("a field is unknown; the fields are {}", expected.unwrap_or_default())
    } else if path == "." {
        format!("the body must be a JSON object; {SCHEMA}")
    } else {
        format!("`{path}` has a value of the wrong type or form; {SCHEMA}")
    }
}

fn rejected(rejection: &JsonRejection) -> Problem {
    match rejection {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Body {
        reason: String,
        until: Option<crate::domain::Time>,
    }

    #[test]
    fn an_error_names_the_field_and_repeats_no_value() {
        for (body, named) in [
            (serde_json::json!({}), "`reason`"),
            (serde_json::json!({ "reason": 5 }), "`reason`"),
            (serde_json::json!({ "reason": "", "until": "alice@example.org" }), "`until`"),
            (serde_json::json!({ "reason": "", "alice@example.org": 1 }), "`reason` or `until`"),
            (serde_json::json!("alice@example.org"), "object"),
        ] {
            let error = serde_path_to_error::deserialize::<_, Body>(body.clone()).unwrap_err();
            let text = explain(&error.path().to_string(), &error.inner().to_string());
            assert!(text.contains(named) && !text.contains("alice"), "{body}: {text}");
        }
    }
}
