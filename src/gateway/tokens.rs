//! The refresh of a member's tokens, and what every way of getting an access token answers.

use super::{
    Gateway, GatewayError,
    documents::REFRESH,
    error::Fault,
    graphql::{self, Asking},
    wire,
};
use crate::domain::{AccessToken, RefreshToken, Time};
use reqwest::header::HeaderValue;
use serde_json::Value;

/// A new access token.
#[derive(Clone, Debug)]
pub struct TokenResponse {
    /// The token.
    pub(crate) access: AccessToken,
    /// When it stops being accepted, by its issuer's word; `None` when the issuer does not say.
    pub(crate) expires_at: Option<Time>,
    /// The refresh token to use from now on; the old one is spent. `None`: the old one stays good.
    pub(crate) refresh: Option<RefreshToken>,
    /// The subject (`sub`) of the access token, when it is a JWT. Unverified; never logged.
    pub(crate) subject: Option<String>,
}

impl TokenResponse {
    /// Takes the tokens of an answer, unless they could not be sent anywhere.
    pub(super) fn new(
        access: String,
        expires_at: Option<Time>,
        refresh: Option<String>,
    ) -> Result<Self, Fault> {
        let refresh = refresh.filter(|token| !token.is_empty());
        let sendable = |token: &str| !token.is_empty() && HeaderValue::from_str(token).is_ok();
        if !sendable(&access) || !refresh.as_deref().is_none_or(sendable) {
            return Err(Fault::Unreadable("a token in it is empty or not fit for a header".to_owned()));
        }
        Ok(Self {
            expires_at: expires_at.or_else(|| expiry(&access)),
            subject: subject(&access),
            access: AccessToken::new(access),
            refresh: refresh.map(RefreshToken::new),
        })
    }
}

/// The `exp` of a JWT (RFC 7519, section 4.1.4). Unverified: it is a hint about when to renew, and no more.
fn expiry(token: &str) -> Option<Time> {
    // A float that does not fit is cut to the nearest integer, which is then no time.
    Time::from_timestamp(claims(token)?["exp"].as_f64()? as i64, 0)
}

/// The `sub` of a JWT, unverified.
pub(super) fn subject(token: &str) -> Option<String> {
    Some(claims(token)?["sub"].as_str().filter(|subject| !subject.is_empty())?.to_owned())
}

fn claims(token: &str) -> Option<Value> {
    if token.split('.').count() != 3 {
        return None;
    }
    jsonwebtoken::dangerous::insecure_decode_claims(token).ok()
}

impl Gateway {
    /// New tokens for a refresh token.
    ///
    /// It may be spent even when this fails or is dropped halfway, which is why it is never sent twice unless
    /// the first request did not leave this machine. One refresh per member at a time, in a task that nobody
    /// drops; and a new refresh token is to be stored before the access token is used.
    ///
    /// # Errors
    /// [`Rejected`](super::Verdict::Rejected) when the gateway itself refuses the token,
    /// [`Forbidden`](super::Verdict::Forbidden) when it refuses the member, [`Permanent`](super::Verdict::Permanent)
    /// when the token cannot be sent. Everything else is an outage.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<TokenResponse, GatewayError> {
        let build = || {
            let token = secret_header(token.expose()).ok_or_else(|| {
                Fault::Permanent("the refresh token holds characters that no header can".to_owned())
            })?;
            let request = self.inner.http.client().post(self.inner.url.clone());
            Ok(request
                .header("refresh_token", token)
                .header("clientkey", self.inner.client_key.clone())
                .json(&graphql::request(&REFRESH, &serde_json::json!({}))))
        };
        let secrets = [token.expose(), self.client_key()];
        let read = |reply: &_| {
            let wire::RefreshTokens { refresh } = graphql::read(reply, Asking::ForToken, &secrets)?;
            TokenResponse::new(refresh.access_token, None, refresh.refresh_token)
        };
        self.call(REFRESH.name, REFRESH.repeat, token.expose(), build, read).await
    }
}

/// A header value that `Debug` hides and HTTP/2 does not index.
pub(super) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    #[test]
    fn the_expiry_is_taken_from_a_jwt_and_from_nothing_else() {
        let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        for (token, expected) in [
            (jwt(r#"{"exp":1767225600}"#), Some("2026-01-01T00:00:00Z")),
            (jwt(r#"{"exp":1767225600.9}"#), Some("2026-01-01T00:00:00Z")),
            (jwt(r#"{"exp":1e300}"#), None),
            (jwt(r#"{"exp":"soon"}"#), None),
            (jwt("{}"), None),
            (jwt("not JSON"), None),
            ("alice".to_owned(), None),
            ("a.b.c".to_owned(), None),
        ] {
            assert_eq!(expiry(&token), expected.map(|time| time.parse().unwrap()), "{token}");
        }
    }
}
