//! The errors of calls as a member.

use super::keyring::KeyringError;
use crate::domain::{CredentialState, UsedCredential};
use crate::gateway::GatewayError;
use crate::store::{CredentialFailure, StoreError};

/// A call to the gateway without a result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The member has no usable credential. This proves nothing about the member's connections.
    #[error("no access token for this member: {reason}")]
    NoToken {
        /// `Rejected`, `Missing` or `Locked`.
        state: CredentialState,
        /// For the operator.
        reason: String,
        /// The rejection by this call, which is not recorded yet.
        refusal: Option<Box<Refusal>>,
    },
    /// The access token belongs to another subject than the member's earlier ones. It is not used.
    #[error(
        "the gateway issued an access token for another subject than before; if that is right, remove the member and import them again"
    )]
    OtherSubject,
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Another process has held the refresh lease for too long.
    #[error("another process is refreshing this member's token")]
    LeaseHeld,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the token refresh was aborted: {0}")]
    TaskAborted(tokio::task::JoinError),
}

/// The rejection of a credential by the gateway itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) used: UsedCredential,
    /// The failure that was recorded before this one.
    pub(super) before: Option<CredentialFailure>,
    pub(super) reason: String,
}

impl CallError {
    /// The gateway's id of the request that failed.
    pub(crate) fn request_id(&self) -> Option<&str> {
        match self {
            Self::Gateway(error) => error.request_id(),
            _ => None,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoToken { .. } => "no_token",
            Self::OtherSubject => "other_subject",
            Self::Gateway(error) => error.code(),
            Self::LeaseHeld => "lease_held",
            Self::Store(error) => error.code(),
            Self::Keyring(_) => "key_ring",
            Self::TaskAborted(_) => "aborted",
        }
    }

    pub(super) fn missing(reason: &str) -> Self {
        Self::NoToken { state: CredentialState::Missing, reason: reason.to_owned(), refusal: None }
    }
}
