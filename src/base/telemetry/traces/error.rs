#[derive(Debug, thiserror::Error)]
#[error("cannot send traces to telemetry.otlp_endpoint: {0}")]
pub(crate) struct TracesError(pub(super) String);
