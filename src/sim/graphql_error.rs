//! Errors in the gateway's form: a FHIR OperationOutcome in the GraphQL error's `extensions`.

use async_graphql::{ErrorExtensionValues, ServerError, Value as GraphqlValue};
use serde_json::{Value, json};

/// The reason for a refusal: a FHIR issue code and a text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) text: &'static str,
}

impl Refusal {
    pub(super) const LOGIN: Self = Self::new("login", "The token is missing, expired or not known");

    pub(super) const fn new(code: &'static str, text: &'static str) -> Self {
        Self { code, text }
    }

    /// A response that contains only this error.
    pub(super) fn response(self) -> Value {
        json!({ "data": null, "errors": [error(self.code, self.text)] })
    }
}

impl From<Refusal> for async_graphql::Error {
    fn from(refusal: Refusal) -> Self {
        Self { extensions: extensions(refusal.code, refusal.text), ..Self::new(refusal.text) }
    }
}

/// One entry of `errors`.
pub(super) fn error(code: &str, text: &str) -> Value {
    json!({ "message": text, "extensions": { "code": class(code), "resource": resource(code, text) } })
}

/// Brings the engine's own errors (an unknown field, a variable of the wrong type) into the gateway's form.
pub(super) fn complete(errors: &mut [ServerError]) {
    for error in errors {
        if error.extensions.is_none() {
            error.extensions = extensions("invalid", &error.message);
        }
    }
}

/// The error's code, like an HTTP status. b.well's clients treat "500" as a gateway failure, whatever the
/// issue is.
fn class(issue: &str) -> &'static str {
    match issue {
        "login" => "401",
        "forbidden" => "403",
        "not-found" => "404",
        "throttled" => "429",
        "invalid" | "required" | "business-rule" => "400",
        _ => "500",
    }
}

fn resource(code: &str, text: &str) -> Value {
    let issue = json!({ "severity": "error", "code": code, "details": { "text": text } });
    json!({ "resourceType": "OperationOutcome", "issue": [issue] })
}

fn extensions(code: &str, text: &str) -> Option<ErrorExtensionValues> {
    let mut values = ErrorExtensionValues::default();
    values.set("code", class(code));
    values.set("resource", GraphqlValue::from_json(resource(code, text)).unwrap_or_default());
    Some(values)
}
