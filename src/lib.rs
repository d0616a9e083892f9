//! reconnectd watches members' health-data connections and gets the broken ones reconnected.
pub mod backoff;
pub mod clock;
pub mod config;
pub mod decide;
pub mod domain;
pub mod plan;
pub mod random;
