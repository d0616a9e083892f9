/// An instant in UTC. The store keeps it as integer milliseconds since the Unix epoch.
pub type Time = chrono::DateTime<chrono::Utc>;
