//! The header `Retry-After` (RFC 9110, section 10.2.3).

use crate::domain::Time;
use std::time::Duration;

/// Longer waits are capped: one odd response must not stop the work for a day.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// In seconds or as a date, capped at an hour. `None` when it cannot be read.
pub(crate) fn parse_retry_after(text: &str, now: Time) -> Option<Duration> {
    let text = text.trim();
    let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let date = Time::from(httpdate::parse_http_date(text).ok()?);
        (date - now).to_std().unwrap_or_default()
    };
    Some(asked.min(MAX_RETRY_AFTER))
}
