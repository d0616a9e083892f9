//! The representation of domain values in the database.

use super::error::{Result, StoreError};
use crate::domain::Time;

/// Milliseconds since the Unix epoch.
pub(super) fn millis(time: Time) -> i64 {
    time.timestamp_millis()
}

/// The inverse of [`millis`]. A value outside the calendar becomes the epoch.
pub(super) fn time(millis: i64) -> Time {
    Time::from_timestamp_millis(millis).unwrap_or(Time::UNIX_EPOCH)
}

/// Saturates.
pub(super) fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

/// A JSON array, for statements that take a list as one parameter.
pub(super) fn json_list<T: serde::Serialize>(items: &[T]) -> Result<String> {
    serde_json::to_string(items).map_err(|error| StoreError::Database(sqlx::Error::Encode(error.into())))
}
