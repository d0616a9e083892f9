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
    let reported = envelope.as_ref().ok().and_then(|envelope| Reported::find(envelope.errors.as_ref()?));
    if !reply.status.is_success() {
        return Err(of_status(reply, asking, reported, secrets));
    }
    if let Some(reported) = reported {
        return Err(reported.into_fault(reply, asking, secrets));
    }
    match envelope? {
        Envelope { data: Some(data), .. } => from_json(data.get().as_bytes()),
        Envelope { data: None, .. } => Err(Fault::Unreadable("it has no data".to_owned())),
    }
}

/// Reads JSON. The fault names the place but not what stands there: that may be a secret.
pub(super) fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Fault> {
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

fn of_status(reply: &Reply, asking: Asking, reported: Option<Reported>, secrets: &[&str]) -> Fault {
    let status = reply.status;
    // A credential is lost when it is called refused: that needs the gateway's own word.
    let by_gateway = asking == Asking::WithToken || !reply.is_page;
    let refuses_credential =
        matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let ruling = reported.as_ref().map_or(Ruling::Unknown, |reported| reported.ruling(asking));
    let said = reported.as_ref().map(|reported| reported.words(secrets)).unwrap_or_default();
    match (asking, reported) {
        (Asking::WithToken, _) if status == StatusCode::UNAUTHORIZED => Fault::Unauthorized(said),
        (Asking::ForToken, _) if refuses_credential && by_gateway && ruling == Ruling::Unknown => {
            Fault::Rejected(said)
        }
        (_, Some(reported))
            if by_gateway && status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS =>
        {
            reported.into_fault(reply, asking, secrets)
        }
        // Without the gateway's word a status such as 404 is about the endpoint, and may pass.
        _ => Fault::Status { status, said, after: reply.after },
    }
}

/// What an answer's `errors` say.
struct Reported(Vec<(Ruling, String)>);

/// What an issue code tells; the later decides between several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ruling {
    /// Who asks is not, or no longer, known.
    Login,
    /// What was asked for is refused, and will be again.
    Refusal,
    /// The request lacks something that every request has to have.
    Malformed,
    /// Known to pass.
    Passing,
    /// Not known to us, so taken to pass.
    Unknown,
}

impl Ruling {
    /// FHIR issue types (HL7 FHIR R4, value set issue-type).
    fn of_issue(code: &str) -> Self {
        match code {
            "login" | "expired" => Self::Login,
            "forbidden" | "not-found" | "invalid" | "business-rule" => Self::Refusal,
            "required" => Self::Malformed,
            "throttled" | "timeout" | "transient" | "exception" => Self::Passing,
            _ => Self::Unknown,
        }
    }

    /// For an error without issues: the code that GraphQL servers put there by custom.
    fn of_code(code: Option<&str>) -> Self {
        match code {
            Some("401" | "UNAUTHENTICATED") => Self::Login,
            _ => Self::Unknown,
        }
    }
}

impl Reported {
    /// `None` when there are no errors: an empty list and null say so too.
    fn find(errors: &Value) -> Option<Self> {
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
                None => found.push((Ruling::of_code(extensions["code"].as_str()), message.to_owned())),
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

    fn into_fault(self, reply: &Reply, asking: Asking, secrets: &[&str]) -> Fault {
        let said = self.words(secrets);
        match (self.ruling(asking), asking) {
            (Ruling::Login, Asking::WithToken) => Fault::Unauthorized(said),
            (Ruling::Login | Ruling::Refusal, Asking::ForToken) => Fault::Rejected(said),
            (Ruling::Refusal, Asking::WithToken) | (Ruling::Malformed, _) => {
                Fault::Permanent(format!("the gateway refuses: {said}"))
            }
            (Ruling::Passing | Ruling::Unknown, _) => Fault::Passing { said, after: reply.after },
        }
    }
}
