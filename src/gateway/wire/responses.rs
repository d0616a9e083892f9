//! The data of each operation's response.

use super::{connection::Connection, listing};
use crate::domain::{Listing, Status};
use serde::Deserialize;

#[derive(Deserialize)]
pub(in crate::gateway) struct MemberConnections {
    #[serde(rename = "getMemberConnections", deserialize_with = "listing::read")]
    pub(in crate::gateway) listing: Listing,
}

#[derive(Deserialize)]
pub(in crate::gateway) struct CreateConnection {
    #[serde(rename = "createConnection")]
    pub(in crate::gateway) connection: Connection,
}

#[derive(Deserialize)]
pub(in crate::gateway) struct GetOauthUrl {
    #[serde(rename = "getOauthUrl")]
    pub(in crate::gateway) oauth_url: OauthUrl,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gateway) struct OauthUrl {
    pub(in crate::gateway) redirect_url: String,
}

#[derive(Deserialize)]
pub(in crate::gateway) struct GetDataSource {
    #[serde(rename = "getDataSource")]
    pub(in crate::gateway) connection: Connection,
}

#[derive(Deserialize)]
pub(in crate::gateway) struct ChangeConnection {
    #[serde(alias = "disconnectConnection", alias = "deleteConnection", alias = "activateDirectConnection")]
    pub(in crate::gateway) connection: ChangedConnection,
}

#[derive(Deserialize)]
pub(in crate::gateway) struct ChangedConnection {
    pub(in crate::gateway) status: Option<Status>,
}

#[derive(Deserialize)]
pub(in crate::gateway) struct RefreshTokens {
    pub(in crate::gateway) refresh: RefreshedTokens,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gateway) struct RefreshedTokens {
    pub(in crate::gateway) access_token: String,
    pub(in crate::gateway) refresh_token: Option<String>,
}
