//! The endpoints that issue access tokens without a refresh token: the gateway's token endpoint and the operator's
//! broker.

use super::{error::SetupError, headers::secret_header, signing::Signer};
use crate::base::config;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use url::Url;

/// The gateway's token endpoint, with the key that signs the ID tokens for it.
pub(super) struct TokenEndpoint {
    pub(super) url: Url,
    pub(super) signer: Signer,
}

/// The operator's endpoint.
pub(super) struct Broker {
    pub(super) url: Url,
    /// The header `Authorization`.
    pub(super) authorization: HeaderValue,
}

impl TokenEndpoint {
    pub(super) fn new(auth: &config::Auth) -> Result<Self, SetupError> {
        Ok(Self { url: parse_url("gateway.auth.token_url", &auth.token_url)?, signer: Signer::new(auth)? })
    }
}

impl Broker {
    pub(super) fn new(auth: &config::Auth) -> Result<Self, SetupError> {
        let authorization = secret_header(format!("Bearer {}", auth.broker_token.expose_secret()));
        let authorization = authorization.ok_or_else(|| {
            SetupError::new("gateway.auth.broker_token", "has characters that a header cannot contain")
        })?;
        Ok(Self { url: parse_url("gateway.auth.broker_url", &auth.broker_url)?, authorization })
    }
}

fn parse_url(key: &'static str, text: &str) -> Result<Url, SetupError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    url.ok_or_else(|| SetupError::new(key, "must be an absolute URL"))
}
