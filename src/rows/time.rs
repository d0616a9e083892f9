//! Times in reports.

use crate::domain::Time;
use chrono::SecondsFormat;

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn time(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(crate) fn optional_time(at: Option<Time>) -> Option<String> {
    at.map(time)
}
