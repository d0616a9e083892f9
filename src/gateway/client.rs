//! The client that all calls share.

use super::{
    error::{GatewayError, SetupError},
    fault::Fault,
    graphql::{self, AuthPhase},
    headers::secret_header,
    http,
    operations::Operation,
    request::RequestBody,
    response::HttpResponse,
    retry,
    token_endpoint::{Broker, TokenEndpoint},
};
use crate::{base::clock::Clock, base::config, base::instances::Instances, domain::AccessToken};
use chrono::TimeDelta;
use reqwest::{
    Method, Request, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use std::{borrow::Cow, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Room for a request's headers, including those that the HTTP client adds, so that the map does not grow.
const MAX_HEADERS: usize = 12;

/// The gateway. Cheap to clone; all clones share connections, limits, and the shared wait.
#[derive(Clone)]
pub struct Gateway {
    pub(super) inner: Arc<Inner>,
    /// Whether a person waits for the responses.
    pub(super) interactive: bool,
    /// Set when a person may begin to wait while a call is made.
    pub(super) is_urgent: Option<watch::Receiver<bool>>,
    /// Whether a reconnect URL may lead to this machine.
    pub(super) allows_local_sign_in: bool,
}

pub(super) struct Inner {
    pub(super) http: http::Http,
    pub(super) url: url::Url,
    pub(super) client_key: HeaderValue,
    pub(super) oauth_hosts: config::OauthHosts,
    /// Set in mode `token_exchange`.
    pub(super) token_endpoint: Option<TokenEndpoint>,
    /// Set in mode `broker`.
    pub(super) broker: Option<Broker>,
}

impl Gateway {
    /// Creates a client for the configured gateway. Sends nothing yet.
    ///
    /// # Errors
    /// When a setting cannot be used, or this machine has no certificates to trust.
    pub fn new(settings: &config::Gateway, clock: Clock, instances: &Instances) -> Result<Self, SetupError> {
        Self::with_retries(settings, clock, instances, retry::Retries::default())
    }

    pub(super) fn with_retries(
        settings: &config::Gateway,
        clock: Clock,
        instances: &Instances,
        retries: retry::Retries,
    ) -> Result<Self, SetupError> {
        let client_key = secret_header(settings.client_key.expose_secret().to_owned()).ok_or_else(|| {
            SetupError::new("gateway.client_key", "has characters that a header cannot contain")
        })?;
        let (token_endpoint, broker) = match settings.auth.mode {
            config::AuthMode::RefreshToken => (None, None),
            config::AuthMode::TokenExchange => (Some(TokenEndpoint::new(&settings.auth)?), None),
            config::AuthMode::Broker => (None, Some(Broker::new(&settings.auth)?)),
        };
        let inner = Inner {
            http: http::Http::new(settings, retries, clock, instances)?,
            url: settings.url.clone(),
            client_key,
            oauth_hosts: settings.oauth_hosts.clone(),
            token_endpoint,
            broker,
        };
        Ok(Self { inner: Arc::new(inner), interactive: false, is_urgent: None, allows_local_sign_in: false })
    }

    /// A handle for calls that a person waits for, such as a member who presses a button. Its calls have reserved slots.
    /// It neither obeys nor starts the shared wait, and it reports at most five minutes of `Retry-After`.
    #[must_use]
    pub(crate) fn interactive(&self) -> Self {
        Self { interactive: true, ..self.clone() }
    }

    /// A handle whose calls can take reserved slots as soon as `is_urgent`.
    #[must_use]
    pub(crate) fn background_until(&self, is_urgent: watch::Receiver<bool>) -> Self {
        Self { is_urgent: Some(is_urgent), ..self.clone() }
    }

    /// A handle that accepts reconnect URLs of this machine if `allows`: members, too, are on it.
    #[must_use]
    pub(crate) fn allowing_local_sign_in(&self, allows: bool) -> Self {
        Self { allows_local_sign_in: allows, ..self.clone() }
    }

    /// The number of calls that can be in flight without the reserved slots.
    pub(crate) fn max_background_calls(&self) -> usize {
        self.inner.http.slots().shared_size()
    }

    /// The rest of the wait that the gateway imposed on everyone. Until then, calls fail immediately and are not sent.
    pub fn shared_wait(&self) -> Option<Duration> {
        self.inner.http.shared_wait()
    }

    /// How far our clock is ahead of the gateway's (negative: behind), by the `Date` of its last response. Two minutes
    /// or more are a problem.
    pub(crate) fn clock_skew(&self) -> Option<TimeDelta> {
        self.inner.http.clock_skew()
    }

    /// Calls as a member. `credentials` are secrets in the body, which an error must not quote.
    pub(super) async fn call_as_member<T: DeserializeOwned>(
        &self,
        operation: &Operation,
        token: &AccessToken,
        body: RequestBody,
        credentials: &[&str],
    ) -> Result<T, GatewayError> {
        let build = || {
            let bearer = secret_header(format!("Bearer {}", token.expose()))
                .ok_or_else(|| Fault::Unauthorized("it does not fit into a header".to_owned()))?;
            Ok(self.post_graphql(&body, [(AUTHORIZATION, bearer)]))
        };
        let secrets = [&[token.expose(), self.client_key()], credentials].concat();
        let read = |response: &_| graphql::read(response, AuthPhase::Authenticated, &secrets);
        self.call(operation.name, operation.retry, token.expose(), build, read).await
    }

    pub(super) fn post_graphql(
        &self,
        body: &RequestBody,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> RequestBuilder {
        let mut request = Request::new(Method::POST, self.inner.url.clone());
        *request.headers_mut() = HeaderMap::with_capacity(MAX_HEADERS);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().extend(headers);
        *request.body_mut() = Some(match body {
            Cow::Borrowed(shared) => (*shared).into(),
            Cow::Owned(own) => own.clone().into(),
        });
        RequestBuilder::from_parts(self.inner.http.client().clone(), request)
    }

    /// Makes a call in this handle's mode. `caller` identifies the caller: a token, or the member's id.
    pub(super) async fn call<T>(
        &self,
        operation: &'static str,
        retry: retry::RetryPolicy,
        caller: &str,
        build: impl Fn() -> Result<RequestBuilder, Fault> + Send + Sync,
        read: impl Fn(&HttpResponse) -> Result<T, Fault> + Send + Sync,
    ) -> Result<T, GatewayError> {
        let (interactive, is_urgent) = (self.interactive, self.is_urgent.as_ref());
        let call = http::Call { operation, retry, caller, interactive, is_urgent };
        self.inner.http.call(call, build, read).await
    }

    pub(super) fn client_key(&self) -> &str {
        self.inner.client_key.to_str().unwrap_or_default()
    }
}
