//! The foundation: clock, randomness, retry delays, certificates, files, configuration, templates, logs, and metrics.

pub(crate) mod backoff;
pub(crate) mod batches;
pub(crate) mod cached;
pub(crate) mod certificates;
pub mod clock;
pub mod config;
#[cfg(test)]
pub(crate) mod fuzzing;
pub(crate) mod in_progress;
pub mod instances;
pub(crate) mod private_files;
pub(crate) mod proxy;
pub mod random;
pub(crate) mod readability;
pub(crate) mod registrable_domain;
pub(crate) mod retry_after;
pub(crate) mod shared_rate;
pub(crate) mod sns_subscription;
pub mod telemetry;
pub(crate) mod templates;
