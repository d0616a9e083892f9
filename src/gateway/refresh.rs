//! The refresh of a member's tokens.

use super::{
    client::Gateway,
    error::GatewayError,
    fault::Fault,
    graphql::{self, AuthPhase},
    headers::secret_header,
    operations::REFRESH,
    request,
    token_response::TokenResponse,
    wire,
};
use crate::domain::RefreshToken;
use reqwest::header::HeaderName;

impl Gateway {
    /// Exchanges a refresh token for new tokens.
    ///
    /// The gateway may consume the refresh token even when this fails or is cancelled. So it is never sent twice, unless
    /// the first request did not leave this machine. Run one refresh per member at a time, in a task that is not
    /// cancelled, and store a new refresh token before the access token is used.
    ///
    /// # Errors
    /// [`Rejected`](super::Verdict::Rejected) when the gateway itself rejects the token,
    /// [`Forbidden`](super::Verdict::Forbidden) when it rejects the member, [`Permanent`](super::Verdict::Permanent)
    /// when the token cannot be sent. Every other error is an outage.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<TokenResponse, GatewayError> {
        let build = || {
            let token = secret_header(token.expose().to_owned())
                .ok_or_else(|| Fault::Permanent("the refresh token does not fit into a header".to_owned()))?;
            let headers = [
                (HeaderName::from_static("refresh_token"), token),
                (HeaderName::from_static("clientkey"), self.inner.client_key.clone()),
            ];
            Ok(self.post_graphql(&request::refresh(), headers))
        };
        let secrets = [token.expose(), self.client_key()];
        let read = |response: &_| {
            let wire::RefreshTokens { refresh } = graphql::read(response, AuthPhase::Refresh, &secrets)?;
            TokenResponse::new(refresh.access_token, None, refresh.refresh_token)
        };
        self.call(REFRESH.name, REFRESH.retry, token.expose(), build, read).await
    }
}
