//! Conversions between domain values and columns.

use super::error::Result;
use crate::domain::Time;

/// The stored form of an instant: milliseconds since the Unix epoch.
pub(super) fn millis(time: Time) -> i64 {
    time.timestamp_millis()
}

/// Reads the stored form of an instant. A value outside of the calendar becomes the Unix epoch.
pub(super) fn time(millis: i64) -> Time {
    Time::from_timestamp_millis(millis).unwrap_or(Time::UNIX_EPOCH)
}

/// Reads a count. SQLite's integers are signed.
pub(super) fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

/// Bytes in a JSON row; the statement reads them with `unhex`.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JSON array, for statements that take a list as one parameter.
pub(super) fn json_list<T: serde::Serialize>(items: &[T]) -> Result<String> {
    serde_json::to_string(items).map_err(|error| sqlx::Error::Encode(error.into()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_does_not_fit_becomes_the_nearest_that_does() {
        for (stored, read) in [(-1, 0), (7, 7), (i64::MAX, u32::MAX)] {
            assert_eq!(count(stored), read, "{stored}");
        }
    }
}
