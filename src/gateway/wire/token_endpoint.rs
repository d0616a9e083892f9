//! A response of the token endpoint (RFC 6749, sections 5.1 and 5.2) or of the broker.

use super::values;
use serde::Deserialize;

/// The fields that tell success from failure.
#[derive(Deserialize)]
pub(in crate::gateway) struct TokenEndpointResponse {
    pub(in crate::gateway) access_token: Option<String>,
    pub(in crate::gateway) error: Option<String>,
    pub(in crate::gateway) error_description: Option<String>,
}

/// The other fields of a success. They are read on their own, so that they cannot hide an error.
#[derive(Deserialize)]
pub(in crate::gateway) struct TokenDetails {
    /// Seconds.
    #[serde(default, deserialize_with = "values::lifetime")]
    pub(in crate::gateway) expires_in: Option<i64>,
    pub(in crate::gateway) refresh_token: Option<String>,
}
