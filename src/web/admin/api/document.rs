//! The OpenAPI document: what it says about the API as a whole.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{OpenApi as _, ToResponse, ToSchema};

/// An error (RFC 9457).
#[derive(ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no such member"}))]
#[expect(dead_code, reason = "documents the bodies of errors")]
pub(super) struct ProblemDetails {
    r#type: String,
    title: String,
    status: u16,
    /// What is wrong, in English.
    detail: String,
    /// The values or lines that cannot be used.
    errors: Option<Vec<FieldError>>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the bodies of errors")]
pub(super) struct FieldError {
    /// Null for the body as a whole.
    line: Option<u64>,
    field: Option<String>,
    reason: String,
}

macro_rules! problem_responses {
    ($($name:ident: $description:literal),* $(,)?) => {$(
        #[derive(ToResponse)]
        #[response(description = $description, content_type = "application/problem+json")]
        #[expect(dead_code, reason = "documents the bodies of errors")]
        pub(super) struct $name(ProblemDetails);
    )*};
}

problem_responses! {
    BadRequest: "a parameter or the body cannot be read",
    Unauthorized: "no token, or an unknown one",
    Forbidden: "the token may only read, or no token is configured",
    NotFound: "there is no such thing",
    NotAllowed: "the resource has other methods; `Allow` names them",
    Conflict: "the state does not permit it; nothing was changed",
    TooLarge: "the body is too large",
    WrongType: "the `Content-Type` is another one",
    Misdirected: "the `Host` is foreign",
    Invalid: "a value cannot be used; nothing was changed",
    TooMany: "too many unknown tokens; `Retry-After` says when to try again",
    Unavailable: "the database is busy or cannot be reached; `Retry-After` says when to try again",
}

/// Any request can have these responses.
const ANYWHERE: [(&str, &str); 7] = [
    ("400", "BadRequest"),
    ("401", "Unauthorized"),
    ("403", "Forbidden"),
    ("405", "NotAllowed"),
    ("421", "Misdirected"),
    ("429", "TooMany"),
    ("503", "Unavailable"),
];

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "reconnectd",
        description = "Watches members' health-data connections and gets the broken ones reconnected. Times are RFC 3339 \
                       in UTC. No response shows an email address. Each write, and each read of members' data, leaves a \
                       row in `audit` with the name of the token."
    ),
    servers((url = "/api/v1")),
    components(
        schemas(ProblemDetails, FieldError),
        responses(BadRequest, Unauthorized, Forbidden, NotFound, NotAllowed, Conflict, TooLarge, WrongType, Misdirected,
            Invalid, TooMany, Unavailable)
    ),
    security(("token" = [])),
    tags(
        (name = "fleet", description = "everything at a glance"),
        (name = "members", description = "people whose connections are watched"),
        (name = "connections", description = "connections, their transitions, and their lapses"),
        (name = "notices", description = "emails to members"),
        (name = "holds", description = "orders not to send email"),
        (name = "suppressions", description = "addresses that must not receive email"),
        (name = "events", description = "what is reported to the operator's own systems"),
        (name = "audit", description = "who did what"),
    )
)]
struct Document;

pub(super) fn base() -> OpenApi {
    let mut document = Document::openapi();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    document
}

/// Adds the responses that any request can have.
pub(super) fn complete(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            for (status, name) in ANYWHERE {
                let response = RefOr::Ref(Ref::from_response_name(name));
                operation.responses.responses.entry(status.to_owned()).or_insert(response);
            }
        }
    }
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}
