//! The one place that knows the wire to the b.well gateway: operations in, domain values or an error with a
//! verdict out.
//!
//! An answer is taken whole or not at all. One with errors, without data, cut off, too large or unreadable is
//! an error, and never an empty list.
//!
//! # Time
//! One request takes at most `gateway.timeout`, its body included, besides the wait for a free slot and for
//! the rate. Within one call a read is sent at most three times, after pauses of at most 10 s each, so that a
//! call ends within three time-outs and 20 s of its first slot. A time-out itself is not tried again.

mod documents;
mod error;
mod exchange;
mod graphql;
mod http;
mod listing;
mod oauth;
mod request_id;
mod retry;
mod signing;
mod skew;
#[cfg(test)]
mod tests;
mod throttle;
mod tokens;
mod wire;

pub use error::{GatewayError, SetupError, Verdict};
pub(crate) use signing::jwks;
pub(crate) use tokens::TokenResponse;

use crate::{
    base::clock::Clock,
    base::config,
    domain::{
        AccessToken, Category, Connection, ConnectionId, IntegrationType, Listing, OauthUrl, SourceType,
        Status,
    },
};
use chrono::TimeDelta;
use documents::Operation;
use error::Fault;
use graphql::Asking;
use reqwest::{
    RequestBuilder,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// The gateway. Cheap to clone; all clones share connections, limits and the shared wait.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
    /// Whether a person waits for the answers of this handle.
    interactive: bool,
}

struct Inner {
    http: http::Http,
    url: url::Url,
    client_key: HeaderValue,
    oauth_hosts: oauth::OauthHosts,
    exchange: Option<exchange::Exchange>,
    broker: Option<exchange::Broker>,
}

/// How a connection is established.
#[derive(Clone, Debug)]
pub enum Establish {
    /// Without credentials, as integration type DIRECT.
    Direct,
    /// With the member's credentials at the source.
    Password {
        /// The user name.
        username: String,
        /// The password.
        password: SecretString,
        /// The integration type, for gateways that know several for one source.
        integration_type: Option<IntegrationType>,
    },
}

/// What became of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// How it stands; `None` when the gateway does not say.
    pub(crate) status: Option<Status>,
}

/// What the gateway knows of a data source, whether or not a member is connected to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource {
    /// Its slug.
    pub(crate) id: ConnectionId,
    /// Its name.
    pub(crate) name: String,
    /// How a member signs in there.
    pub(crate) category: Option<Category>,
    /// What kind of source it is.
    pub(crate) source_type: Option<SourceType>,
    /// Whether no credentials are needed.
    pub(crate) is_direct: bool,
    /// How the gateway reaches it.
    pub(crate) integration_type: Option<IntegrationType>,
}

impl Gateway {
    /// A client for the configured gateway. Asks nothing yet.
    ///
    /// # Errors
    /// A setting that cannot be used, by its key; or no TLS on this machine (no certificates to trust).
    pub fn new(settings: &config::Gateway, clock: Clock) -> Result<Self, SetupError> {
        Self::with_retry(settings, clock, retry::Retry::default())
    }

    fn with_retry(settings: &config::Gateway, clock: Clock, retry: retry::Retry) -> Result<Self, SetupError> {
        let client_key = tokens::secret_header(settings.client_key.expose_secret())
            .ok_or_else(|| SetupError::new("gateway.client_key", "holds characters that no header can"))?;
        let (exchange, broker) = match settings.auth.mode {
            config::AuthMode::RefreshToken => (None, None),
            config::AuthMode::TokenExchange => (Some(exchange::Exchange::new(&settings.auth)?), None),
            config::AuthMode::Broker => (None, Some(exchange::Broker::new(&settings.auth)?)),
        };
        let inner = Inner {
            http: http::Http::new(settings, retry, clock)?,
            url: settings.url.clone(),
            client_key,
            oauth_hosts: oauth::OauthHosts::parse(&settings.oauth_hosts)?,
            exchange,
            broker,
        };
        Ok(Self { inner: Arc::new(inner), interactive: false })
    }

    /// A handle for calls that a person waits for, such as a member who presses a button. It neither obeys nor begins
    /// the shared wait, and hands on at most five minutes of `Retry-After`.
    #[must_use]
    pub(crate) fn interactive(&self) -> Self {
        Self { interactive: true, ..self.clone() }
    }

    /// How long the gateway has asked everyone to wait still. Until then calls are not sent and fail at once.
    pub fn shared_wait(&self) -> Option<Duration> {
        self.inner.http.shared_wait()
    }

    /// How far our clock is ahead of the gateway's (negative: behind), by the `Date` of its last response. Two minutes
    /// or more are a problem.
    pub(crate) fn clock_skew(&self) -> Option<TimeDelta> {
        self.inner.http.clock_skew()
    }

    /// Whether a gateway is there at all: it is asked with a token that it must refuse.
    ///
    /// # Errors
    /// When nothing answers, or what answers is no gateway.
    pub(crate) async fn probe(&self) -> Result<(), GatewayError> {
        match self.connections(&AccessToken::new("none")).await {
            Err(error) if matches!(error.verdict(), Verdict::Retry { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// All connections of the token's member, in whatever status, in the gateway's order; no id comes twice. A row that
    /// cannot be read hides only itself.
    ///
    /// # Errors
    /// Any answer that is not a whole list.
    pub async fn connections(&self, token: &AccessToken) -> Result<Listing, GatewayError> {
        let answer: wire::MemberConnections =
            self.ask(&documents::CONNECTIONS, token, json!({}), &[]).await?;
        Ok(answer.listing)
    }

    /// Where the member signs in again for an OAuth connection: https, or http to this machine, and to a host
    /// that `gateway.oauth_hosts` allows. To be asked for no other kind of connection.
    ///
    /// # Errors
    /// [`Permanent`](Verdict::Permanent) for a URL that no member may be sent to; the error does not hold it.
    pub async fn oauth_url(&self, token: &AccessToken, id: &ConnectionId) -> Result<OauthUrl, GatewayError> {
        let operation = &documents::OAUTH_URL;
        let answer: wire::GetOauthUrl =
            self.ask(operation, token, json!({ "connectionId": id }), &[]).await?;
        let admitted = self.inner.oauth_hosts.admit(&answer.oauth_url.redirect_url);
        admitted.map_err(|fault| GatewayError::new(operation.name, fault))
    }

    /// What is known of a data source.
    ///
    /// # Errors
    /// [`Permanent`](Verdict::Permanent) when the gateway knows none of this id.
    pub async fn data_source(
        &self,
        token: &AccessToken,
        id: &ConnectionId,
    ) -> Result<DataSource, GatewayError> {
        let answer: wire::GetDataSource =
            self.ask(&documents::DATA_SOURCE, token, json!({ "connectionId": id }), &[]).await?;
        Ok(answer.source.into())
    }

    /// Makes a connection, or makes one anew.
    ///
    /// # Errors
    /// With a [`Retry`](Verdict::Retry) verdict the connection may have been made all the same.
    pub async fn establish(
        &self,
        token: &AccessToken,
        id: &ConnectionId,
        how: Establish,
    ) -> Result<Connection, GatewayError> {
        let answer: wire::CreateConnection = match how {
            Establish::Direct => {
                let variables = json!({ "connectionId": id, "integrationType": IntegrationType::Direct });
                self.ask(&documents::CREATE_DIRECT, token, variables, &[]).await?
            }
            Establish::Password { username, password, integration_type } => {
                let mut variables = json!({
                    "connectionId": id,
                    "username": username,
                    "password": password.expose_secret(),
                });
                let operation = match integration_type {
                    None => &documents::CREATE_WITH_PASSWORD,
                    Some(integration_type) => {
                        variables["integrationType"] = json!(integration_type);
                        &documents::CREATE_WITH_PASSWORD_AND_TYPE
                    }
                };
                self.ask(operation, token, variables, &[&username, password.expose_secret()]).await?
            }
        };
        Ok(answer.connection.into())
    }

    /// Cuts a connection.
    ///
    /// # Errors
    /// With a [`Retry`](Verdict::Retry) verdict it may have been done all the same.
    pub async fn disconnect(
        &self,
        token: &AccessToken,
        id: &ConnectionId,
    ) -> Result<StatusChange, GatewayError> {
        self.change(&documents::DISCONNECT, token, id).await
    }

    /// Removes a connection and its data. The gateway takes its time: the row leaves the list later.
    ///
    /// # Errors
    /// With a [`Retry`](Verdict::Retry) verdict it may have been done all the same.
    pub async fn delete(&self, token: &AccessToken, id: &ConnectionId) -> Result<StatusChange, GatewayError> {
        self.change(&documents::DELETE, token, id).await
    }

    /// Brings back a direct connection that is DISCONNECTED.
    ///
    /// # Errors
    /// [`Permanent`](Verdict::Permanent) when it is DELETED or consent was revoked. With a
    /// [`Retry`](Verdict::Retry) verdict it may have been done all the same.
    pub async fn activate_direct(
        &self,
        token: &AccessToken,
        id: &ConnectionId,
    ) -> Result<StatusChange, GatewayError> {
        self.change(&documents::ACTIVATE_DIRECT, token, id).await
    }

    async fn change(
        &self,
        operation: &Operation,
        token: &AccessToken,
        id: &ConnectionId,
    ) -> Result<StatusChange, GatewayError> {
        let answer: wire::ChangeStatus =
            self.ask(operation, token, json!({ "connectionId": id }), &[]).await?;
        Ok(answer.change.into())
    }

    /// Asks as a member. `credentials` are in the variables, and must not be quoted by an error.
    async fn ask<T: DeserializeOwned>(
        &self,
        operation: &Operation,
        token: &AccessToken,
        variables: Value,
        credentials: &[&str],
    ) -> Result<T, GatewayError> {
        let build = || {
            let bearer = tokens::secret_header(&format!("Bearer {}", token.expose()))
                .ok_or_else(|| Fault::Unauthorized("it holds characters that no header can".to_owned()))?;
            let request = self.inner.http.client().post(self.inner.url.clone());
            Ok(request.header(AUTHORIZATION, bearer).json(&graphql::request(operation, &variables)))
        };
        let secrets = [&[token.expose(), self.client_key()], credentials].concat();
        let read = |reply: &_| graphql::read(reply, Asking::WithToken, &secrets);
        self.call(operation.name, operation.repeat, token.expose(), build, read).await
    }

    /// Makes a call of this handle's kind. `caller` tells callers apart: a token, or the member's id.
    async fn call<T>(
        &self,
        operation: &'static str,
        repeat: http::Repeat,
        caller: &str,
        build: impl Fn() -> Result<RequestBuilder, Fault> + Send + Sync,
        read: impl Fn(&http::Reply) -> Result<T, Fault> + Send + Sync,
    ) -> Result<T, GatewayError> {
        let call = http::Call { operation, repeat, caller, interactive: self.interactive };
        self.inner.http.call(call, build, read).await
    }

    fn client_key(&self) -> &str {
        self.inner.client_key.to_str().unwrap_or_default()
    }
}
