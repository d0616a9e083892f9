//! A person enrolled by the operator.

use super::{EmailAddress, MemberId};
use chrono_tz::Tz;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    pub email: EmailAddress,
    /// A BCP 47 tag such as `es` or `en-GB`; the configured default when `None`.
    pub locale: Option<String>,
    /// An IANA time zone; the configured default when `None`.
    pub time_zone: Option<Tz>,
    /// The member's identity at the identity provider. The import sets it; the default is the member id.
    pub subject: String,
    /// Distinguishes members who share an address, such as a first name.
    pub label: Option<String>,
    /// Whether the operator paused the member.
    pub paused: bool,
}

/// Whether the daemon can get an access token. This says nothing about connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// The last attempt succeeded, or there was none yet.
    Ok,
    /// The gateway rejected the credential.
    Rejected,
    /// There is no credential.
    Missing,
    /// No key in the key ring decrypts the stored credential.
    Locked,
}

impl CredentialState {
    /// The code in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rejected => "rejected",
            Self::Missing => "missing",
            Self::Locked => "locked",
        }
    }
}

/// The facts outside the database that decide on the state of a credential.
#[derive(Clone, Debug, Default)]
pub struct CredentialRules {
    /// Whether every member needs a stored refresh token.
    pub needs_token: bool,
    /// The keys that sealed stored credentials and that the key ring does not contain.
    pub(crate) locked_keys: Vec<String>,
}

impl CredentialRules {
    /// Every member needs a stored refresh token, and the key ring opens all of them.
    pub fn stored_tokens() -> Self {
        Self { needs_token: true, locked_keys: Vec::new() }
    }
}
