//! Single values on the wire.

use crate::domain::{ConnectionId, Time};
use chrono::{DateTime, NaiveDateTime};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};
use serde_json::Value;

/// Longer lifetimes are capped, so that an odd value does not overflow a time: 30 days, in seconds.
const MAX_LIFETIME: f64 = 30.0 * 24.0 * 60.0 * 60.0;

/// Accepts any text that is not blank.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ConnectionId, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(D::Error::custom("a blank id")) } else { Ok(ConnectionId::new(text)) }
}

pub(super) fn or_false<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(false))
}

/// Reads a lifetime in seconds from a number or a text. `None` when it cannot be read or is below one second.
pub(super) fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let seconds = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    // The cast truncates.
    Ok(seconds.filter(|seconds| *seconds >= 1.0).map(|seconds| seconds.min(MAX_LIFETIME) as i64))
}

/// `None` for a time that cannot be read, which is not a reason to reject the rest of the row.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Raw {
        Text(String),
        Other(IgnoredAny),
    }
    Ok(match Raw::deserialize(deserializer)? {
        Raw::Text(text) => parse_time(text.trim()),
        Raw::Other(_) => None,
    })
}

/// Parses an ISO 8601 time to the millisecond. The gateway writes `2025-08-20T20:51:12.513000`; a time without a zone
/// is assumed to be UTC.
fn parse_time(text: &str) -> Option<Time> {
    const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f";
    let time =
        DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z").map(|time| time.to_utc()).or_else(|_| {
            NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), FORMAT).map(|time| time.and_utc())
        });
    time.ok().and_then(|time| Time::from_timestamp_millis(time.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_or_without_a_zone_and_truncated_to_milliseconds() {
        for (text, expected) in [
            ("2025-08-20T20:51:12.513000", Some("2025-08-20T20:51:12.513Z")),
            ("2025-08-20T20:51:12.513999", Some("2025-08-20T20:51:12.513Z")),
            ("2025-08-20T20:51:12", Some("2025-08-20T20:51:12Z")),
            ("2025-08-20T20:51:12Z", Some("2025-08-20T20:51:12Z")),
            ("2025-08-20T20:51:12.5+02:00", Some("2025-08-20T18:51:12.500Z")),
            ("2025-08-20T20:51:12-0430", Some("2025-08-21T01:21:12Z")),
            ("9999-12-31T23:59:59.999999", Some("9999-12-31T23:59:59.999Z")),
            ("2025-02-30T00:00:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), expected.map(|time| time.parse().unwrap()), "{text}");
        }
    }
}
