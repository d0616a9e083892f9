//! The meaning of a response to a GraphQL request. Errors may come with any HTTP status, including 200, and next to
//! data, which then proves nothing.

use super::{
    fault::{Fault, masked},
    json::from_json,
    response::HttpResponse,
    wire,
};
use crate::domain::Listing;
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

/// The phase of authorization that a request belongs to, which decides what a rejection is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthPhase {
    /// The request carries a member's access token.
    Authenticated,
    /// The request exchanges a refresh token for an access token.
    Refresh,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    errors: Option<Value>,
}

/// Reads the response's data. `secrets` are those of the request, which a fault must not quote.
pub(super) fn read<T: DeserializeOwned>(
    response: &HttpResponse,
    phase: AuthPhase,
    secrets: &[&str],
) -> Result<T, Fault> {
    let envelope: Result<Envelope, Fault> = from_json(&response.body);
    let errors =
        envelope.as_ref().ok().and_then(|envelope| GraphqlErrors::parse(envelope.errors.as_ref()?, phase));
    if let Some(fault) = find_fault(response, phase, errors.as_ref(), secrets) {
        return Err(fault);
    }
    match envelope? {
        Envelope { data: Some(data), .. } => from_json(data.get().as_bytes()),
        Envelope { data: None, .. } => Err(Fault::Unreadable("it has no data".to_owned())),
    }
}

/// Reads the body of a response to the list operation. `None`: it is not a complete list.
pub fn read_listing(body: &[u8]) -> Option<Listing> {
    let response =
        HttpResponse { status: StatusCode::OK, retry_after: None, request_id: None, body: body.to_vec() };
    read(&response, AuthPhase::Authenticated, &[]).ok().map(|wire::MemberConnections { listing }| listing)
}

/// The fault that the response's status or errors report.
fn find_fault(
    response: &HttpResponse,
    phase: AuthPhase,
    errors: Option<&GraphqlErrors>,
    secrets: &[&str],
) -> Option<Fault> {
    let status = response.status;
    if status.is_success() && errors.is_none() {
        return None;
    }
    let class = errors.map(|errors| errors.class(phase));
    let message = errors.map(|errors| errors.message(secrets)).unwrap_or_default();
    // With such a status the failure is transient, whatever the body says.
    let is_transient =
        status == StatusCode::TOO_MANY_REQUESTS || !(status.is_success() || status.is_client_error());
    Some(match (class, phase) {
        _ if is_transient => status_fault(response, message, class == Some(ErrorClass::Throttled), None),
        (Some(ErrorClass::Member), _) => Fault::Forbidden(message),
        (Some(ErrorClass::Login), AuthPhase::Refresh) => Fault::Rejected(message),
        (Some(ErrorClass::Login), AuthPhase::Authenticated) => Fault::Unauthorized(message),
        (_, AuthPhase::Authenticated) if status == StatusCode::UNAUTHORIZED => Fault::Unauthorized(message),
        (Some(ErrorClass::Request), AuthPhase::Authenticated) => {
            Fault::Permanent(format!("the gateway rejects the request: {message}"))
        }
        // Every refresh sends the same request. If the gateway rejects it for one member, it does for everyone.
        (Some(class), _) => Fault::Transient {
            message,
            retry_after: response.retry_after,
            throttled: class == ErrorClass::Throttled,
            check: class.check(phase),
        },
        // Without a GraphQL error such a status is about the endpoint, about us, or from a proxy in between.
        (None, _) => status_fault(response, message, false, Some(CHECK_US)),
    })
}

/// Hints for when the gateway, or a proxy in front of it, rejects everyone.
const CHECK_US: &str = "if this happens to every member, check gateway.client_key, gateway.url, and the firewall or \
                        proxy on the way to the gateway";
const CHECK_DOCUMENTS: &str = "if this happens to every member, check gateway.client_key, and ask the gateway's operator \
                               whether it accepts this version's operations";

/// The fault for a status that is not the gateway's own judgment of the request.
pub(super) fn status_fault(
    response: &HttpResponse,
    message: String,
    throttled: bool,
    check: Option<&'static str>,
) -> Fault {
    let (status, retry_after) = (response.status, response.retry_after);
    let throttled = throttled
        || status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some());
    Fault::Status { status, message, retry_after, throttled, check }
}

/// The `errors` of a response, each with its message.
struct GraphqlErrors(Vec<(ErrorClass, String)>);

/// The subject of an error. If there are several errors, the class that is declared last decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ErrorClass {
    /// The gateway does not accept the token.
    Login,
    /// The gateway rejects the request, and will reject it again.
    Request,
    /// The gateway rejects the member, whatever the token.
    Member,
    Throttled,
    Transient,
    /// Unknown codes, such as those of a router in front of the gateway, are taken to be transient.
    Unknown,
}

impl ErrorClass {
    /// Classifies a FHIR issue type (HL7 FHIR R4, value set issue-type). The types form a tree. A child means the same
    /// as its parent, except for the two that reject the member. Servers use `processing` for any trouble of their own.
    fn from_issue(code: &str) -> Self {
        match normalize(code).as_str() {
            "security" | "login" | "unknown" | "expired" => Self::Login,
            "forbidden" | "suppressed" => Self::Member,
            "invalid" | "structure" | "required" | "value" | "invariant" => Self::Request,
            "not-supported" | "duplicate" | "multiple-matches" | "not-found" | "deleted" | "too-long"
            | "code-invalid" | "extension" | "too-costly" | "business-rule" | "conflict" => Self::Request,
            "throttled" => Self::Throttled,
            "transient" | "lock-error" | "no-store" | "exception" | "timeout" | "incomplete" => {
                Self::Transient
            }
            _ => Self::Unknown,
        }
    }

    /// Classifies the conventional `extensions.code` of an error without issues.
    fn from_code(code: Option<&str>, phase: AuthPhase) -> Self {
        match code.map(normalize).as_deref() {
            Some("unauthenticated") => Self::Login,
            Some("401") if phase == AuthPhase::Authenticated => Self::Login,
            _ => Self::Unknown,
        }
    }

    fn check(self, phase: AuthPhase) -> Option<&'static str> {
        match self {
            Self::Throttled | Self::Transient => None,
            Self::Unknown => Some(CHECK_DOCUMENTS),
            _ => (phase == AuthPhase::Refresh).then_some(CHECK_US),
        }
    }
}

/// The gateway writes codes in upper case with underscores; FHIR, in lower case with hyphens.
fn normalize(code: &str) -> String {
    code.trim().to_ascii_lowercase().replace('_', "-")
}

impl GraphqlErrors {
    /// `None` for an empty list or null, which some servers send with a success.
    fn parse(errors: &Value, phase: AuthPhase) -> Option<Self> {
        let errors = match errors {
            Value::Null => return None,
            Value::Array(errors) if errors.is_empty() => return None,
            Value::Array(errors) => errors.as_slice(),
            other => std::slice::from_ref(other),
        };
        let mut found = Vec::new();
        for error in errors {
            let message = error["message"].as_str().unwrap_or_default();
            let extensions = &error["extensions"];
            match extensions["resource"]["issue"].as_array().filter(|issues| !issues.is_empty()) {
                Some(issues) => found.extend(issues.iter().map(|issue| {
                    let code = issue["code"].as_str().unwrap_or_default();
                    let text = issue["details"]["text"].as_str().unwrap_or(message);
                    (ErrorClass::from_issue(code), format!("{code}: {text}"))
                })),
                None => {
                    let code = extensions["code"].as_str();
                    let text = code.map_or_else(|| message.to_owned(), |code| format!("{code}: {message}"));
                    found.push((ErrorClass::from_code(code, phase), text));
                }
            }
        }
        Some(Self(found))
    }

    /// One login error is enough to get a new access token. But a credential is rejected only if no error is transient.
    fn class(&self, phase: AuthPhase) -> ErrorClass {
        let classes = self.0.iter().map(|(class, _)| *class);
        if phase == AuthPhase::Authenticated && classes.clone().any(|class| class == ErrorClass::Login) {
            return ErrorClass::Login;
        }
        classes.max().unwrap_or(ErrorClass::Unknown)
    }

    fn message(&self, secrets: &[&str]) -> String {
        let texts: Vec<&str> = self.0.iter().map(|(_, text)| text.as_str()).collect();
        masked(&texts.join("; "), secrets)
    }
}
