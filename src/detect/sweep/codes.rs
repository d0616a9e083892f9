//! Reason codes that several files set and read.

/// The reason code of a sweep that stops because the gateway asked everyone to wait.
pub(super) const THROTTLED: &str = "gateway_throttled";
/// The reason code of a member about whom alone the gateway asked to wait.
pub(super) const THROTTLED_MEMBER: &str = "throttled";
