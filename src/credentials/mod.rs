//! Members' credentials: the key ring that seals them, and the access tokens that they yield.

pub(crate) mod agreement;
mod error;
pub(crate) mod former_keys;
pub(crate) mod key_check;
pub mod keyring;
mod pending_refreshes;
mod refresh;
mod renewals;
pub mod rotation;
mod rules;
mod token_provider;

pub use error::{CallError, Refusal};
pub(crate) use rules::credential_rules;
pub(crate) use token_provider::Refresh;
pub use token_provider::TokenProvider;
