//! What everything else stands on: the clock, randomness, waits, the configuration, logs and metrics.

pub(crate) mod backoff;
pub mod clock;
pub mod config;
pub mod random;
pub mod telemetry;
