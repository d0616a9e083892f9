//! Access tokens without a refresh token: by token exchange (RFC 8693), or from a broker of the operator's.

use super::{
    Gateway, GatewayError,
    error::{Fault, SetupError, masked},
    graphql::from_json,
    http::{Repeat, Reply},
    signing::Signer,
    tokens::{Renewed, secret_header},
    wire::Granted,
};
use crate::{
    config,
    domain::{MemberId, Time},
};
use chrono::TimeDelta;
use reqwest::{
    StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
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
    /// [`Rejected`](super::Verdict::Rejected) when the gateway refuses this subject;
    /// [`Permanent`](super::Verdict::Permanent) when it refuses us.
    pub async fn exchange(&self, subject: &str) -> Result<Renewed, GatewayError> {
        const OPERATION: &str = "token exchange";
        let clock = self.0.http.clock();
        let Some(exchange) = &self.0.exchange else {
            return Err(not_set_up(OPERATION, "token_exchange"));
        };
        let build = || {
            let token = exchange.signer.id_token(subject, clock.now());
            let token = token.ok_or_else(|| Fault::Permanent("the ID token cannot be signed".to_owned()))?;
            let request = self.0.http.client().post(exchange.url.clone());
            Ok(request.header(ACCEPT, "application/json").form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", token.as_str()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ]))
        };
        let read = |reply: &Reply| match reply.status {
            status if status.is_success() => granted(reply, clock.now()),
            _ => Err(refused_exchange(reply)),
        };
        self.0.http.call(OPERATION, Repeat::Freely, build, read).await
    }

    /// An access token for the member, from the operator's broker. Needs `gateway.auth.mode = "broker"`.
    ///
    /// # Errors
    /// [`Rejected`](super::Verdict::Rejected) when the broker knows no such member or has no consent of
    /// theirs; [`Permanent`](super::Verdict::Permanent) when it refuses us.
    pub async fn broker(&self, member: &MemberId) -> Result<Renewed, GatewayError> {
        const OPERATION: &str = "token broker";
        let Some(broker) = &self.0.broker else {
            return Err(not_set_up(OPERATION, "broker"));
        };
        let build = || {
            let request = self.0.http.client().post(broker.url.clone());
            Ok(request.header(AUTHORIZATION, broker.bearer.clone()).json(&json!({ "member_id": member })))
        };
        let read = |reply: &Reply| match reply.status {
            status if status.is_success() => granted(reply, self.0.http.clock().now()),
            status if reply.is_page => Err(of_status(reply, status)),
            StatusCode::NOT_FOUND => Err(Fault::Rejected("the broker knows no such member".to_owned())),
            StatusCode::FORBIDDEN => {
                Err(Fault::Rejected("the broker has no consent of this member".to_owned()))
            }
            StatusCode::UNAUTHORIZED => {
                Err(Fault::Permanent("the broker refuses gateway.auth.broker_token (HTTP 401)".to_owned()))
            }
            status => Err(of_status(reply, status)),
        };
        self.0.http.call(OPERATION, Repeat::Freely, build, read).await
    }
}

fn not_set_up(operation: &'static str, mode: &str) -> GatewayError {
    GatewayError::new(operation, Fault::Permanent(format!("gateway.auth.mode is not \"{mode}\"")))
}

fn granted(reply: &Reply, now: Time) -> Result<Renewed, Fault> {
    let granted: Granted = from_json(&reply.body)?;
    let expires_at = granted.expires_in.map(|seconds| now + TimeDelta::seconds(seconds.into()));
    Renewed::new(granted.access_token, expires_at, granted.refresh_token)
}

fn of_status(reply: &Reply, status: StatusCode) -> Fault {
    Fault::Status { status, said: String::new(), after: reply.after }
}

/// An error of the token endpoint (RFC 6749, section 5.2). An ID token that is not accepted is
/// `invalid_request` (RFC 8693, section 2.2.2) or, at many servers, `invalid_grant`; the other codes are
/// about us.
fn refused_exchange(reply: &Reply) -> Fault {
    #[derive(Deserialize)]
    struct OauthError {
        error: String,
        error_description: Option<String>,
    }
    let status = reply.status;
    let Ok(refusal) = from_json::<OauthError>(&reply.body) else {
        return of_status(reply, status);
    };
    let said = masked(&format!("{} {}", refusal.error, refusal.error_description.unwrap_or_default()), &[]);
    if status == StatusCode::TOO_MANY_REQUESTS || !status.is_client_error() {
        return Fault::Status { status, said, after: reply.after };
    }
    match refusal.error.as_str() {
        "invalid_grant" | "invalid_request" | "access_denied" => Fault::Rejected(said),
        "temporarily_unavailable" | "server_error" => Fault::Passing { said, after: reply.after },
        _ => Fault::Permanent(format!("the token endpoint refuses: {said}")),
    }
}
