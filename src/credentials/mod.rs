//! Members' credentials: the key ring that seals them, and the access tokens that they yield.

pub mod keyring;
pub mod token_provider;
