//! The shapes on the wire. A field that the schema requires must be present and have its type. A nullable field may be
//! absent. An open enumeration keeps unknown values as text. Unknown fields are ignored.

mod connection;
mod listing;
mod responses;
mod token_endpoint;
mod values;

pub(super) use responses::{
    ChangeConnection, CreateConnection, GetDataSource, GetOauthUrl, MemberConnections, RefreshTokens,
};
pub(super) use token_endpoint::{TokenDetails, TokenEndpointResponse};
