//! The gateway's types as GraphQL shows them.

use super::{
    credentials::Grant,
    rows::{Row, Source},
};
use crate::domain::Time;
use async_graphql::{Object, SimpleObject};

/// `2025-08-20T20:51:12.513000`: microseconds, no zone.
pub(super) fn stamp(time: Time) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// A member's connection.
#[Object(name = "Connection")]
impl Row {
    #[graphql(name = "id")]
    async fn slug(&self) -> &str {
        &self.source.id
    }
    async fn name(&self) -> &str {
        &self.source.name
    }
    async fn category(&self) -> &str {
        &self.source.category
    }
    #[graphql(name = "type")]
    async fn source_type(&self) -> &str {
        &self.source.source_type
    }
    async fn integration_type(&self) -> Option<&str> {
        self.source.integration_type.as_deref()
    }
    async fn is_direct(&self) -> bool {
        self.source.is_direct
    }
    #[graphql(name = "status")]
    async fn connection_status(&self) -> Option<&str> {
        self.status()
    }
    #[graphql(name = "syncStatus")]
    async fn fetching(&self) -> Option<&str> {
        self.sync_status()
    }
    async fn sync_errors(&self) -> Option<Vec<SyncError>> {
        let errors = self.sync_errors.iter().map(|code| SyncError::new(code)).collect::<Vec<_>>();
        (!errors.is_empty()).then_some(errors)
    }
    async fn status_updated(&self) -> String {
        stamp(self.status_updated)
    }
    async fn last_synced(&self) -> Option<String> {
        self.last_synced.map(stamp)
    }
    async fn created(&self) -> String {
        stamp(self.created)
    }
}

/// The reason why records could not be fetched, as a FHIR CodeableConcept.
#[derive(SimpleObject)]
pub(super) struct SyncError {
    text: Option<String>,
    coding: Vec<SyncErrorCoding>,
}

#[derive(SimpleObject)]
struct SyncErrorCoding {
    code: String,
    display: Option<String>,
    system: Option<String>,
}

impl SyncError {
    fn new(code: &str) -> Self {
        let coding = SyncErrorCoding { code: code.to_owned(), display: None, system: None };
        Self { text: Some(code.to_owned()), coding: vec![coding] }
    }
}

#[Object(name = "DataSource")]
impl Source {
    async fn id(&self) -> &str {
        &self.id
    }
    async fn name(&self) -> &str {
        &self.name
    }
    async fn category(&self) -> &str {
        &self.category
    }
    #[graphql(name = "type")]
    async fn source_type(&self) -> &str {
        &self.source_type
    }
    async fn is_direct(&self) -> bool {
        self.is_direct
    }
    async fn integration_type(&self) -> Option<&str> {
        self.integration_type.as_deref()
    }
}

/// The URL where the member signs in.
#[derive(SimpleObject)]
pub(super) struct OauthUrl {
    pub(super) redirect_url: String,
}

/// The result of a change to a connection.
#[derive(SimpleObject)]
pub(super) struct ConnectionStatus {
    status: Option<String>,
    status_updated: String,
}

impl From<&Row> for ConnectionStatus {
    fn from(row: &Row) -> Self {
        Self { status: row.status().map(str::to_owned), status_updated: stamp(row.status_updated) }
    }
}

/// The response of `refresh`.
#[derive(SimpleObject)]
pub(super) struct Refreshed {
    access_token: String,
    id_token: String,
    refresh_token: Option<String>,
}

impl From<Grant> for Refreshed {
    fn from(grant: Grant) -> Self {
        let Grant { access_token, refresh_token, .. } = grant;
        Self { id_token: access_token.clone(), access_token, refresh_token }
    }
}

/// The response of `getToken` and `login`.
#[derive(SimpleObject)]
pub(super) struct Tokens {
    access_token: JwtToken,
    id_token: JwtToken,
    refresh_token: OpaqueToken,
}

#[derive(SimpleObject)]
struct JwtToken {
    jwt_token: String,
}

#[derive(SimpleObject)]
struct OpaqueToken {
    token: String,
}

impl Tokens {
    pub(super) fn new(grant: Grant, refresh_token: String) -> Self {
        Self {
            id_token: JwtToken { jwt_token: grant.access_token.clone() },
            access_token: JwtToken { jwt_token: grant.access_token },
            refresh_token: OpaqueToken { token: refresh_token },
        }
    }
}
