//! The time zone that the viewer chose.

use super::session::{cookie, set_cookie};
use axum::http::{HeaderMap, HeaderValue};
use chrono::TimeDelta;
use chrono_tz::Tz;

const COOKIE: &str = "reconnectd_zone";
const KEEP: TimeDelta = TimeDelta::days(365);

/// Offered first. Any name of the IANA database is accepted.
pub(super) const COMMON: [&str; 12] = [
    "UTC",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Kolkata",
];

pub(super) fn of(headers: &HeaderMap) -> Tz {
    cookie(headers, COOKIE).and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

pub(super) fn remember(zone: Tz) -> Option<HeaderValue> {
    set_cookie(COOKIE, zone.name(), KEEP)
}
