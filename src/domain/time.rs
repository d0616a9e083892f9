//! Instants.

/// An instant in UTC. The store keeps it in milliseconds since the Unix epoch.
pub type Time = chrono::DateTime<chrono::Utc>;
