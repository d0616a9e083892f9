//! The two other sources of access tokens: token exchange (RFC 8693) and the operator's
//! broker.

use super::{
    app::App,
    credentials::Denied,
    operations::Operation,
    response::{JsonResponse, respond},
    tokens,
    wire::Cut,
};
use axum::{
    Form,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::json;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The form of a token exchange, RFC 8693, section 2.1.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Exchange {
    grant_type: String,
    subject_token: String,
    subject_token_type: String,
    requested_token_type: Option<String>,
}

/// `POST /identity/oauth/token`.
pub(super) async fn exchange(
    State(app): State<App>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Form(form): Form<Exchange>,
) -> Response {
    let subject = tokens::read_unverified(&form.subject_token);
    let member = subject.as_ref().map(|subject| subject.sub.clone());
    let rejected = || oauth_error("invalid_grant", "The subject token is not good");
    respond(&app, &cut, &[Operation::TokenExchange], member.as_deref(), &rejected, async {
        if form.grant_type != GRANT {
            return oauth_error("unsupported_grant_type", "Only token exchange is supported");
        }
        let kind_is_known = [JWT, ID_TOKEN].contains(&form.subject_token_type.as_str());
        let wanted = form.requested_token_type.as_deref().unwrap_or(ACCESS_TOKEN);
        if !kind_is_known || wanted != ACCESS_TOKEN || form.subject_token.is_empty() {
            return oauth_error("invalid_request", "A JWT is exchanged for an access token");
        }
        let Some(subject) = subject else { return rejected() };
        let now = app.world.now().timestamp() as f64;
        if subject.exp.is_some_and(|exp| exp <= now) {
            return oauth_error("invalid_grant", "The subject token has expired");
        }
        match app.world.grant(&subject.sub) {
            Err(_) => rejected(),
            Ok(grant) => JsonResponse::new(
                StatusCode::OK,
                &json!({ "access_token": grant.access_token, "issued_token_type": ACCESS_TOKEN,
                    "token_type": "Bearer", "expires_in": app.world.told_lifetime(&grant) }),
            ),
        }
    })
    .await
}

/// RFC 6749, section 5.2.
fn oauth_error(error: &str, description: &str) -> JsonResponse {
    JsonResponse::new(StatusCode::BAD_REQUEST, &json!({ "error": error, "error_description": description }))
}

#[derive(Deserialize)]
struct Wanted {
    member_id: String,
}

/// `POST /broker/token`.
pub(super) async fn broker(
    State(app): State<App>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    body: Bytes,
) -> Response {
    let refuse = |status, error| JsonResponse::new(status, &json!({ "error": error }));
    let Ok(Wanted { member_id }) = serde_json::from_slice(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "expected {\"member_id\": …}").into();
    };
    let rejected = || refuse(StatusCode::UNAUTHORIZED, "not authorised");
    respond(&app, &cut, &[Operation::Broker], Some(&member_id), &rejected, async {
        match app.world.grant(&member_id) {
            Ok(grant) => JsonResponse::new(
                StatusCode::OK,
                &json!({ "access_token": grant.access_token, "expires_in": app.world.told_lifetime(&grant) }),
            ),
            Err(Denied::Unknown) => refuse(StatusCode::NOT_FOUND, "no_such_member"),
            Err(Denied::Revoked) => refuse(StatusCode::FORBIDDEN, "no_consent"),
        }
    })
    .await
}
