//! Access tokens without a refresh token: by token exchange (RFC 8693), or from the operator's broker.

use super::{
    client::Gateway,
    error::GatewayError,
    fault::{Fault, masked},
    graphql::status_fault,
    json::from_json,
    response::HttpResponse,
    retry::RetryPolicy,
    token_response::TokenResponse,
    wire::{TokenDetails, TokenEndpointResponse},
};
use crate::domain::{MemberId, Time};
use chrono::TimeDelta;
use reqwest::{
    StatusCode,
    header::{ACCEPT, AUTHORIZATION},
};
use serde_json::json;

/// Hints for when an endpoint rejects everyone.
const CHECK_EXCHANGE: &str = "if this happens to every member, check that gateway.auth.token_url, issuer, audience, and \
                              signing_key are what the gateway expects, and the firewall on the way to it";
const CHECK_BROKER: &str = "if this happens to every member, check gateway.auth.broker_url, gateway.auth.broker_token, \
                            and the firewall or proxy in front of the broker";

impl Gateway {
    /// Gets an access token for the subject by token exchange: the daemon signs an ID token that vouches for the
    /// subject. Requires `gateway.auth.mode = "token_exchange"`.
    ///
    /// # Errors
    /// [`Rejected`](super::Verdict::Rejected) when the gateway rejects this subject's ID token,
    /// [`Forbidden`](super::Verdict::Forbidden) when it rejects the subject. When it rejects the daemon itself, that is
    /// an outage.
    pub(crate) async fn exchange(&self, subject: &str) -> Result<TokenResponse, GatewayError> {
        const OPERATION: &str = "token exchange";
        let clock = self.inner.http.clock();
        let Some(endpoint) = &self.inner.token_endpoint else {
            return Err(wrong_mode(OPERATION, "token_exchange"));
        };
        let build = || {
            let token = endpoint.signer.id_token(subject, clock.now());
            let token = token.ok_or_else(|| Fault::Permanent("cannot sign the ID token".to_owned()))?;
            let request = self.inner.http.client().post(endpoint.url.clone());
            Ok(request.header(ACCEPT, "application/json").form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", token.as_str()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ]))
        };
        let read = |response: &HttpResponse| {
            read_tokens(response, clock.now(), classify_oauth_error, CHECK_EXCHANGE)
        };
        self.call(OPERATION, RetryPolicy::Idempotent, subject, build, read).await
    }

    /// Gets an access token for the member from the operator's broker. Requires `gateway.auth.mode = "broker"`.
    ///
    /// # Errors
    /// [`Rejected`](super::Verdict::Rejected) when the broker does not know the member or lacks their consent. Every
    /// other error is an outage.
    pub(crate) async fn broker(&self, member: &MemberId) -> Result<TokenResponse, GatewayError> {
        const OPERATION: &str = "token broker";
        let Some(broker) = &self.inner.broker else {
            return Err(wrong_mode(OPERATION, "broker"));
        };
        let build = || {
            let request = self.inner.http.client().post(broker.url.clone());
            Ok(request
                .header(AUTHORIZATION, broker.authorization.clone())
                .json(&json!({ "member_id": member })))
        };
        let read = |response: &HttpResponse| {
            read_tokens(response, self.inner.http.clock().now(), classify_broker_error, CHECK_BROKER)
        };
        self.call(OPERATION, RetryPolicy::Idempotent, member.as_str(), build, read).await
    }
}

fn wrong_mode(operation: &'static str, mode: &str) -> GatewayError {
    GatewayError::new(operation, Fault::Permanent(format!("gateway.auth.mode is not \"{mode}\"")))
}

/// Reads the tokens of a response. A rejection counts only in the format of its endpoint, whatever the HTTP status.
/// Every other error is an outage: a client that is not accepted, a firewall, a proxy.
fn read_tokens(
    response: &HttpResponse,
    now: Time,
    classify: fn(&str) -> ErrorClass,
    check: &'static str,
) -> Result<TokenResponse, Fault> {
    let status = response.status;
    let parsed: Result<TokenEndpointResponse, Fault> = from_json(&response.body);
    let error_code = parsed.as_ref().ok().and_then(|parsed| parsed.error.as_deref());
    if status.is_success() {
        if let Ok(TokenEndpointResponse { access_token: Some(access_token), .. }) = parsed {
            let TokenDetails { expires_in, refresh_token } = from_json(&response.body)?;
            let expires_at = expires_in.map(|seconds| now + TimeDelta::seconds(seconds));
            return TokenResponse::new(access_token, expires_at, refresh_token);
        }
        if error_code.is_none() {
            return Err(parsed
                .err()
                .unwrap_or_else(|| Fault::Unreadable("it has no access token".to_owned())));
        }
    }
    let message = error_code.map(|code| {
        let description = parsed.as_ref().ok().and_then(|parsed| parsed.error_description.as_deref());
        masked(&format!("{} {}", describe(code), description.unwrap_or_default()), &[])
    });
    let message = message.unwrap_or_default();
    let is_judgment =
        (status.is_success() || status.is_client_error()) && status != StatusCode::TOO_MANY_REQUESTS;
    match error_code.filter(|_| is_judgment).map(classify) {
        Some(ErrorClass::Credential) => Err(Fault::Rejected(message)),
        Some(ErrorClass::Member) => Err(Fault::Forbidden(message)),
        _ => Err(status_fault(response, message, false, is_judgment.then_some(check))),
    }
}

/// The subject of an endpoint's error code.
enum ErrorClass {
    Credential,
    /// The member, whatever the credential.
    Member,
    /// The daemon or the endpoint.
    Outage,
}

/// Classifies an error of the token endpoint (RFC 6749, section 5.2). The other codes (`invalid_client`,
/// `invalid_request`, …) are about the daemon's request, which is the same for everyone.
fn classify_oauth_error(code: &str) -> ErrorClass {
    match code.trim().to_ascii_lowercase().as_str() {
        "invalid_grant" => ErrorClass::Credential,
        "access_denied" => ErrorClass::Member,
        _ => ErrorClass::Outage,
    }
}

/// Classifies an error of the broker, in the format that this project defines.
fn classify_broker_error(code: &str) -> ErrorClass {
    match code.trim().to_ascii_lowercase().as_str() {
        "no_such_member" | "no_consent" => ErrorClass::Credential,
        _ => ErrorClass::Outage,
    }
}

fn describe(code: &str) -> &str {
    match code.trim() {
        "no_such_member" => "the broker does not know this member",
        "no_consent" => "the broker has no consent from this member",
        other => other,
    }
}
