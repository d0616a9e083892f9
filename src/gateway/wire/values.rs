//! Single values on the wire.

use crate::domain::{ConnectionId, Time};
use chrono::NaiveDateTime;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// Longer lifetimes are capped, so that an odd value does not overflow a time: 30 days, in seconds.
const MAX_LIFETIME: f64 = 30.0 * 24.0 * 60.0 * 60.0;

/// Accepts any text that is not blank.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ConnectionId, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(D::Error::custom("a blank id")) } else { Ok(ConnectionId::new(text)) }
}

/// Reads a time, which the gateway writes in UTC without a zone. `None` when it cannot be read: nothing depends on it.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let Value::String(text) = Value::deserialize(deserializer)? else { return Ok(None) };
    let with_zone = text.parse::<Time>().ok();
    let time = with_zone.or_else(|| text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc()));
    Ok(time.and_then(|time| Time::from_timestamp_millis(time.timestamp_millis())))
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
