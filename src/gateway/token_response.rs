//! The tokens that the gateway or the broker issues, whichever way they were requested.

use super::{fault::Fault, jwt};
use crate::domain::{AccessToken, RefreshToken, Time};
use reqwest::header::HeaderValue;

#[derive(Clone, Debug)]
pub struct TokenResponse {
    pub(crate) access_token: AccessToken,
    /// From the issuer or the token itself; `None` when neither contains it.
    pub(crate) expires_at: Option<Time>,
    /// The refresh token to use from now on; the old one is consumed. `None`: the old one stays valid.
    pub(crate) refresh_token: Option<RefreshToken>,
    /// The claim `sub` of the access token, when it is a JWT. Unverified; never logged.
    pub(crate) subject: Option<String>,
}

impl TokenResponse {
    /// Checks that the tokens fit into a header: a token that cannot be sent is useless.
    pub(super) fn new(
        access_token: String,
        expires_at: Option<Time>,
        refresh_token: Option<String>,
    ) -> Result<Self, Fault> {
        let refresh_token = refresh_token.filter(|token| !token.is_empty());
        let can_be_sent = |token: &str| !token.is_empty() && HeaderValue::from_str(token).is_ok();
        if !can_be_sent(&access_token) || !refresh_token.as_deref().is_none_or(can_be_sent) {
            return Err(Fault::Unreadable("a token in it is empty or does not fit into a header".to_owned()));
        }
        Ok(Self {
            expires_at: expires_at.or_else(|| jwt::expiry(&access_token)),
            subject: jwt::subject(&access_token),
            access_token: AccessToken::new(access_token),
            refresh_token: refresh_token.map(RefreshToken::new),
        })
    }
}
