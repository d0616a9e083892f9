//! reconnectd watches members' health-data connections and gets the broken ones reconnected.
pub mod clock;
pub mod config;
pub mod domain;
pub mod random;
#[cfg(feature = "sim")]
pub mod sim;
