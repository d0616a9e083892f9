//! The settings of the simulated gateway.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The behavior of the simulated gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether a refresh returns a new refresh token and consumes the old one.
    pub rotate: bool,
    /// Whether a consumed refresh token stays valid until its successor is first used, as at many identity providers. A
    /// client that lost the response to a refresh can then retry. The retry invalidates the unused successor.
    pub rotation_grace: bool,
    /// The lifetime of an access token, in seconds.
    pub access_token_lifetime: u32,
    /// The lifetime of a reconnect URL, in seconds.
    pub oauth_url_lifetime: u32,
    /// Whether an invalid access token causes an issue `login` under HTTP 200 instead of HTTP 401.
    pub login_issue: bool,
    /// Lists per window, for all members together; 0: no quota. A list above the quota gets HTTP 429, with the rest of the
    /// window as `Retry-After`.
    pub list_quota: u32,
    /// The length of that window, in seconds. The first window starts with the first list.
    pub quota_window: u32,
    /// For this many seconds after an operation changes a connection, the list shows its previous state. Other changes
    /// are visible at once.
    pub list_lag: u32,
    /// The `expires_in` that the token endpoint and the broker report, as JSON; `null`: the true one.
    pub expires_in: Option<Value>,
    /// How far the gateway's `Date` is ahead of the simulated world's time, in seconds.
    pub date_ahead: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rotate: false,
            rotation_grace: false,
            access_token_lifetime: 3600,
            oauth_url_lifetime: 600,
            login_issue: false,
            list_quota: 0,
            quota_window: 3600,
            list_lag: 0,
            expires_in: None,
            date_ahead: 0,
        }
    }
}
