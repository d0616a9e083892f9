//! The calls that are made as a member.

use super::{
    client::Gateway,
    error::{GatewayError, Verdict},
    oauth_url,
    operations::{self, Operation},
    request, wire,
};
use crate::domain::{AccessToken, Connection, ConnectionId, IntegrationType, Listing, OauthUrl, Status};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// How to establish a connection.
#[derive(Clone, Debug)]
pub enum Establish {
    /// Without credentials, as integration type DIRECT.
    Direct,
    /// With the member's credentials at the source.
    Password {
        username: String,
        password: SecretString,
        /// For a gateway that offers several for one source.
        integration_type: Option<IntegrationType>,
    },
}

impl Gateway {
    /// Checks that a gateway responds, by a call with a token that it must reject.
    ///
    /// # Errors
    /// When nothing responds, or the response is not a gateway's.
    pub(crate) async fn probe(&self) -> Result<(), GatewayError> {
        match self.connections(&AccessToken::new("none")).await {
            Err(error) if matches!(error.verdict(), Verdict::Retry { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// Lists all connections of the token's member, whatever their status, in the gateway's order. Each id occurs once.
    /// An unreadable row hides only itself.
    ///
    /// # Errors
    /// Every response that is not a complete list.
    pub async fn connections(&self, token: &AccessToken) -> Result<Listing, GatewayError> {
        let response: wire::MemberConnections =
            self.call_as_member(&operations::CONNECTIONS, token, request::connections(), &[]).await?;
        Ok(response.listing)
    }

    /// Gets the URL at which the member signs in again. Only OAuth connections have one. The URL is https, or http on
    /// this machine, and its host is one that `gateway.oauth_hosts` allows. It leads to this machine only where
    /// [`Gateway::allowing_local_sign_in`] says so, or `gateway.oauth_hosts` lists it.
    ///
    /// # Errors
    /// [`Permanent`](Verdict::Permanent) for a URL that no member may be sent to; the error does not contain it.
    pub async fn oauth_url(&self, token: &AccessToken, id: &ConnectionId) -> Result<OauthUrl, GatewayError> {
        let operation = &operations::OAUTH_URL;
        let body = request::with_variables(operation, &json!({ "connectionId": id }));
        let response: wire::GetOauthUrl = self.call_as_member(operation, token, body, &[]).await?;
        let rules =
            oauth_url::HostRules { hosts: &self.inner.oauth_hosts, allows_local: self.allows_local_sign_in };
        oauth_url::validate(&response.oauth_url.redirect_url, &rules)
            .map_err(|fault| GatewayError::new(operation.name, fault))
    }

    /// Looks up a data source, which becomes a connection without a status.
    ///
    /// # Errors
    /// [`Permanent`](Verdict::Permanent) when the gateway has none with this id.
    pub async fn data_source(
        &self,
        token: &AccessToken,
        id: &ConnectionId,
    ) -> Result<Connection, GatewayError> {
        let operation = &operations::DATA_SOURCE;
        let body = request::with_variables(operation, &json!({ "connectionId": id }));
        let response: wire::GetDataSource = self.call_as_member(operation, token, body, &[]).await?;
        Ok(response.connection.into())
    }

    /// Creates a connection, or recreates one.
    ///
    /// # Errors
    /// With the verdict [`Retry`](Verdict::Retry) the connection may exist nevertheless.
    pub async fn establish(
        &self,
        token: &AccessToken,
        id: &ConnectionId,
        how: Establish,
    ) -> Result<Connection, GatewayError> {
        let response: wire::CreateConnection = match how {
            Establish::Direct => {
                let operation = &operations::CREATE_DIRECT;
                let variables = json!({ "connectionId": id, "integrationType": IntegrationType::Direct });
                let body = request::with_variables(operation, &variables);
                self.call_as_member(operation, token, body, &[]).await?
            }
            Establish::Password { username, password, integration_type } => {
                let mut variables = json!({
                    "connectionId": id,
                    "username": username,
                    "password": password.expose_secret(),
                });
                let operation = match integration_type {
                    None => &operations::CREATE_WITH_PASSWORD,
                    Some(integration_type) => {
                        variables["integrationType"] = json!(integration_type);
                        &operations::CREATE_WITH_PASSWORD_AND_TYPE
                    }
                };
                let secrets = [username.as_str(), password.expose_secret()];
                let body = request::with_variables(operation, &variables);
                self.call_as_member(operation, token, body, &secrets).await?
            }
        };
        Ok(response.connection.into())
    }

    /// Disconnects a connection.
    ///
    /// # Errors
    /// With the verdict [`Retry`](Verdict::Retry) it may be disconnected nevertheless.
    pub async fn disconnect(&self, token: &AccessToken, id: &ConnectionId) -> Result<(), GatewayError> {
        self.change(&operations::DISCONNECT, token, id).await.map(drop)
    }

    /// Deletes a connection and its records. The row leaves the list later, when the gateway has deleted the records.
    ///
    /// # Errors
    /// With the verdict [`Retry`](Verdict::Retry) it may be deleted nevertheless.
    pub async fn delete(&self, token: &AccessToken, id: &ConnectionId) -> Result<(), GatewayError> {
        self.change(&operations::DELETE, token, id).await.map(drop)
    }

    /// Reactivates a direct connection that is DISCONNECTED. Returns its new status, if the gateway sends it.
    ///
    /// # Errors
    /// [`Permanent`](Verdict::Permanent) when it is DELETED or consent was revoked. With the verdict
    /// [`Retry`](Verdict::Retry) it may be active nevertheless.
    pub async fn activate_direct(
        &self,
        token: &AccessToken,
        id: &ConnectionId,
    ) -> Result<Option<Status>, GatewayError> {
        self.change(&operations::ACTIVATE_DIRECT, token, id).await
    }

    async fn change(
        &self,
        operation: &Operation,
        token: &AccessToken,
        id: &ConnectionId,
    ) -> Result<Option<Status>, GatewayError> {
        let body = request::with_variables(operation, &json!({ "connectionId": id }));
        let response: wire::ChangeConnection = self.call_as_member(operation, token, body, &[]).await?;
        Ok(response.connection.status)
    }
}
