//! What an answer to a GraphQL request means. Errors may come with any HTTP status, 200 included, and with
//! data beside them, which is then evidence of nothing.

use super::{
    documents::Operation,
    error::{Fault, masked},
    http::Reply,
};
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

/// What a request was authorised with, and so what a refusal is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// With an access token, for a member.
    WithToken,
    /// With a refresh token, for an access token.
    ForToken,
}

/// The body of a request (GraphQL over HTTP).
pub(super) fn request(operation: &Operation, variables: &Value) -> Value {
    json!({ "query": operation.document, "operationName": operation.name, "variables": variables })
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    errors: Option<Value>,
}

/// The answer's data, or what is wrong with it. `secrets` are what we sent and must not quote.
pub(super) fn read<T: DeserializeOwned>(reply: &Reply, asking: Asking, secrets: &[&str]) -> Result<T, Fault> {
    let envelope: Result<Envelope, Fault> = from_json(&reply.body);
    let reported =
        envelope.as_ref().ok().and_then(|envelope| Reported::find(envelope.errors.as_ref()?, asking));
    if let Some(fault) = refusal(reply, asking, reported.as_ref(), secrets) {
        return Err(fault);
    }
    match envelope? {
        Envelope { data: Some(data), .. } => from_json(data.get().as_bytes()),
        Envelope { data: None, .. } => Err(Fault::Unreadable("it has no data".to_owned())),
    }
}

/// Reads JSON. The fault names the place but not what stands there: that may be a secret.
pub(super) fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Fault> {
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        match error.inner().classify() {
            serde_json::error::Category::Data => {
                Fault::Unreadable(format!("something is missing, doubled or of another type at {path:?}"))
            }
            serde_json::error::Category::Eof => Fault::Unreadable("it is cut off".to_owned()),
            _ => Fault::Unreadable("it is not JSON".to_owned()),
        }
    })?;
    deserializer.end().map_err(|_| Fault::Unreadable("something follows the JSON".to_owned()))?;
    Ok(value)
}

/// What is wrong with an answer, if its status or its errors say so.
fn refusal(reply: &Reply, asking: Asking, reported: Option<&Reported>, secrets: &[&str]) -> Option<Fault> {
    let status = reply.status;
    if status.is_success() && reported.is_none() {
        return None;
    }
    let ruling = reported.map(|reported| reported.ruling(asking));
    let said = reported.map(|reported| reported.words(secrets)).unwrap_or_default();
    // Whatever the body of such a status says, it may pass.
    let passes =
        status == StatusCode::TOO_MANY_REQUESTS || !(status.is_success() || status.is_client_error());
    Some(match (ruling, asking) {
        _ if passes => of_status(reply, said, ruling == Some(Ruling::Throttled), None),
        (Some(Ruling::Member), _) => Fault::Forbidden(said),
        (Some(Ruling::Login), Asking::ForToken) => Fault::Rejected(said),
        (Some(Ruling::Login), Asking::WithToken) => Fault::Unauthorized(said),
        (_, Asking::WithToken) if status == StatusCode::UNAUTHORIZED => Fault::Unauthorized(said),
        (Some(Ruling::Request), Asking::WithToken) => {
            Fault::Permanent(format!("the gateway refuses: {said}"))
        }
        // Every renewal is the same request: when it is wrong, it is wrong for everyone.
        (Some(ruling), _) => Fault::Passing {
            said,
            after: reply.after,
            throttled: ruling == Ruling::Throttled,
            check: ruling.check(asking),
        },
        // Without the gateway's word such a status is about the endpoint, about us, or from something in between.
        (None, _) => of_status(reply, said, false, Some(CHECK_US)),
    })
}

/// What can make a gateway, or something before it, refuse everyone.
const CHECK_US: &str = "if this befalls every member, check gateway.client_key, gateway.url, and the firewall or proxy \
                        on the way to the gateway";
const CHECK_DOCUMENTS: &str = "if this befalls every member, check gateway.client_key, and ask the gateway's operator \
                               whether it accepts this version's operations";

/// A status that is not the gateway's own word on the request.
pub(super) fn of_status(reply: &Reply, said: String, throttled: bool, check: Option<&'static str>) -> Fault {
    let (status, after) = (reply.status, reply.after);
    let throttled = throttled
        || status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::SERVICE_UNAVAILABLE && after.is_some());
    Fault::Status { status, said, after, throttled, check }
}

/// What an answer's `errors` say.
struct Reported(Vec<(Ruling, String)>);

/// What an issue code tells; the later decides between several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ruling {
    /// The token is not, or no longer, accepted.
    Login,
    /// What was asked for is refused, and will be again.
    Request,
    /// The member is refused, whatever the token.
    Member,
    /// The caller is to slow down.
    Throttled,
    /// Known to pass.
    Passing,
    /// Not an issue code that we know: taken to pass. A router before the gateway has codes of its own.
    Unknown,
}

impl Ruling {
    /// FHIR issue types (HL7 FHIR R4, value set issue-type), a tree: a child means what its parent means, but for the
    /// two that refuse the member. `processing` alone is what servers say of any trouble of theirs.
    fn of_issue(code: &str) -> Self {
        match normal(code).as_str() {
            "security" | "login" | "unknown" | "expired" => Self::Login,
            "forbidden" | "suppressed" => Self::Member,
            "invalid" | "structure" | "required" | "value" | "invariant" => Self::Request,
            "not-supported" | "duplicate" | "multiple-matches" | "not-found" | "deleted" | "too-long"
            | "code-invalid" | "extension" | "too-costly" | "business-rule" | "conflict" => Self::Request,
            "throttled" => Self::Throttled,
            "transient" | "lock-error" | "no-store" | "exception" | "timeout" | "incomplete" => Self::Passing,
            _ => Self::Unknown,
        }
    }

    /// For an error without issues: the code that GraphQL servers put there by custom.
    fn of_code(code: Option<&str>, asking: Asking) -> Self {
        match code.map(normal).as_deref() {
            Some("unauthenticated") => Self::Login,
            Some("401") if asking == Asking::WithToken => Self::Login,
            _ => Self::Unknown,
        }
    }

    fn check(self, asking: Asking) -> Option<&'static str> {
        match self {
            Self::Throttled | Self::Passing => None,
            Self::Unknown => Some(CHECK_DOCUMENTS),
            _ => (asking == Asking::ForToken).then_some(CHECK_US),
        }
    }
}

/// The gateway writes codes in capitals with underscores, FHIR in small letters with hyphens.
fn normal(code: &str) -> String {
    code.trim().to_ascii_lowercase().replace('_', "-")
}

impl Reported {
    /// `None` when there are no errors: an empty list and null say so too.
    fn find(errors: &Value, asking: Asking) -> Option<Self> {
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
                    (Ruling::of_issue(code), format!("{code}: {text}"))
                })),
                None => {
                    let code = extensions["code"].as_str();
                    let words = code.map_or_else(|| message.to_owned(), |code| format!("{code}: {message}"));
                    found.push((Ruling::of_code(code, asking), words));
                }
            }
        }
        Some(Self(found))
    }

    /// A token is renewed when any error asks for it. A credential is given up only when no error might pass.
    fn ruling(&self, asking: Asking) -> Ruling {
        let rulings = self.0.iter().map(|(ruling, _)| *ruling);
        if asking == Asking::WithToken && rulings.clone().any(|ruling| ruling == Ruling::Login) {
            return Ruling::Login;
        }
        rulings.max().unwrap_or(Ruling::Unknown)
    }

    fn words(&self, secrets: &[&str]) -> String {
        let words: Vec<&str> = self.0.iter().map(|(_, words)| words.as_str()).collect();
        masked(&words.join("; "), secrets)
    }
}
