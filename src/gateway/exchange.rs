//! Access tokens without a refresh token: by token exchange (RFC 8693), or from a broker of the operator's.

use super::{
    Gateway, GatewayError,
    error::{Fault, SetupError, masked},
    graphql::{from_json, of_status},
    http::{Repeat, Reply},
    signing::Signer,
    tokens::{TokenResponse, secret_header},
    wire::{Answer, Granted},
};
use crate::{
    base::config,
    domain::{MemberId, Time},
};
use chrono::TimeDelta;
use reqwest::{
    StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use secrecy::ExposeSecret;
use serde_json::json;
use url::Url;

/// The gateway's token endpoint and what it is asked with.
pub(super) struct Exchange {
    url: Url,
    signer: Signer,
}

/// The operator's endpoint.
pub(super) struct Broker {
    url: Url,
    bearer: HeaderValue,
}

impl Exchange {
    pub(super) fn new(auth: &config::Auth) -> Result<Self, SetupError> {
        Ok(Self { url: endpoint("gateway.auth.token_url", &auth.token_url)?, signer: Signer::new(auth)? })
    }
}

impl Broker {
    pub(super) fn new(auth: &config::Auth) -> Result<Self, SetupError> {
        let bearer = secret_header(&format!("Bearer {}", auth.broker_token.expose_secret()));
        let bearer = bearer.ok_or_else(|| {
            SetupError::new("gateway.auth.broker_token", "holds characters that no header can")
        })?;
        Ok(Self { url: endpoint("gateway.auth.broker_url", &auth.broker_url)?, bearer })
    }
}

fn endpoint(key: &'static str, text: &str) -> Result<Url, SetupError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    url.ok_or_else(|| SetupError::new(key, "must be an absolute URL"))
}

impl Gateway {
    /// An access token for the subject, by token exchange: the gateway is shown an ID token of ours that
    /// vouches for them. Needs `gateway.auth.mode = "token_exchange"`.
    ///
    /// # Errors
    /// [`Rejected`](super::Verdict::Rejected) when the gateway refuses this subject's ID token,
    /// [`Forbidden`](super::Verdict::Forbidden) when it refuses the subject. A refusal of us is an outage.
    pub(crate) async fn exchange(&self, subject: &str) -> Result<TokenResponse, GatewayError> {
        const OPERATION: &str = "token exchange";
        let clock = self.inner.http.clock();
        let Some(exchange) = &self.inner.exchange else {
            return Err(not_set_up(OPERATION, "token_exchange"));
        };
        let build = || {
            let token = exchange.signer.id_token(subject, clock.now());
            let token = token.ok_or_else(|| Fault::Permanent("the ID token cannot be signed".to_owned()))?;
            let request = self.inner.http.client().post(exchange.url.clone());
            Ok(request.header(ACCEPT, "application/json").form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", token.as_str()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ]))
        };
        let read = |reply: &Reply| granted(reply, clock.now(), ruling_of_endpoint, CHECK_EXCHANGE);
        self.call(OPERATION, Repeat::Freely, subject, build, read).await
    }

    /// An access token for the member, from the operator's broker. Needs `gateway.auth.mode = "broker"`.
    ///
    /// # Errors
    /// [`Rejected`](super::Verdict::Rejected) when the broker knows no such member or has no consent of
    /// theirs. Anything else that it says is an outage.
    pub(crate) async fn broker(&self, member: &MemberId) -> Result<TokenResponse, GatewayError> {
        const OPERATION: &str = "token broker";
        let Some(broker) = &self.inner.broker else {
            return Err(not_set_up(OPERATION, "broker"));
        };
        let build = || {
            let request = self.inner.http.client().post(broker.url.clone());
            Ok(request.header(AUTHORIZATION, broker.bearer.clone()).json(&json!({ "member_id": member })))
        };
        let read =
            |reply: &Reply| granted(reply, self.inner.http.clock().now(), ruling_of_broker, CHECK_BROKER);
        self.call(OPERATION, Repeat::Freely, member.as_str(), build, read).await
    }
}

fn not_set_up(operation: &'static str, mode: &str) -> GatewayError {
    GatewayError::new(operation, Fault::Permanent(format!("gateway.auth.mode is not \"{mode}\"")))
}

/// The tokens of an answer. A refusal counts as one only in the format of its endpoint, whatever the HTTP status;
/// everything else is an outage: a client that is not accepted, a firewall, a proxy.
fn granted(
    reply: &Reply,
    now: Time,
    ruling: fn(&str) -> Ruling,
    check: &'static str,
) -> Result<TokenResponse, Fault> {
    let status = reply.status;
    let answer: Result<Answer, Fault> = from_json(&reply.body);
    let refused = answer.as_ref().ok().and_then(|answer| answer.error.as_deref());
    if status.is_success() {
        if let Ok(Answer { access_token: Some(access), .. }) = answer {
            let Granted { expires_in, refresh_token } = from_json(&reply.body)?;
            let expires_at = expires_in.map(|seconds| now + TimeDelta::seconds(seconds));
            return TokenResponse::new(access, expires_at, refresh_token);
        }
        if refused.is_none() {
            return Err(answer
                .err()
                .unwrap_or_else(|| Fault::Unreadable("it has no access token".to_owned())));
        }
    }
    let said = refused.map(|code| {
        let description = answer.as_ref().ok().and_then(|answer| answer.error_description.as_deref());
        masked(&format!("{} {}", in_words(code), description.unwrap_or_default()), &[])
    });
    let said = said.unwrap_or_default();
    let is_word =
        (status.is_success() || status.is_client_error()) && status != StatusCode::TOO_MANY_REQUESTS;
    match refused.filter(|_| is_word).map(ruling) {
        Some(Ruling::Credential) => Err(Fault::Rejected(said)),
        Some(Ruling::Member) => Err(Fault::Forbidden(said)),
        _ => Err(of_status(reply, said, false, is_word.then_some(check))),
    }
}

/// What can make an endpoint refuse everyone.
const CHECK_EXCHANGE: &str = "if this befalls every member, check gateway.auth: token_url, issuer, audience and \
                              signing_key as the gateway knows them, and the firewall on the way to it";
const CHECK_BROKER: &str = "if this befalls every member, check gateway.auth.broker_url, gateway.auth.broker_token, \
                            and the firewall or proxy before the broker";

/// What an error code of an endpoint is about.
enum Ruling {
    /// The member's credential.
    Credential,
    /// The member, whatever the credential.
    Member,
    /// Us, or the endpoint.
    Outage,
}

/// An error of the token endpoint (RFC 6749, section 5.2). What else there is (`invalid_client`, `invalid_request`, …)
/// is about our request, which is the same for everyone.
fn ruling_of_endpoint(code: &str) -> Ruling {
    match code.trim().to_ascii_lowercase().as_str() {
        "invalid_grant" => Ruling::Credential,
        "access_denied" => Ruling::Member,
        _ => Ruling::Outage,
    }
}

/// The broker's codes in words; any other as it is.
fn in_words(code: &str) -> &str {
    match code.trim() {
        "no_such_member" => "the broker knows no such member",
        "no_consent" => "the broker has no consent of this member",
        other => other,
    }
}

/// An error of the broker, in the format that we define.
fn ruling_of_broker(code: &str) -> Ruling {
    match code.trim().to_ascii_lowercase().as_str() {
        "no_such_member" | "no_consent" => Ruling::Credential,
        _ => Ruling::Outage,
    }
}
