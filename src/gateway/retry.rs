//! When a request is sent again within one call, and what `Retry-After` asks for.

use crate::domain::Time;
use backon::ExponentialBuilder;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// The longest patience that is passed on, whatever a server asks for: one odd answer must not end the watch for a day.
pub(super) const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The retries within one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// The first pause; each further one is twice as long, and a random part of up to the same length is
    /// added.
    pub(super) pause: Duration,
    /// Tries after the first.
    pub(super) times: usize,
    /// What `Retry-After` may ask for and still be waited for here. What asks for more ends the call, and its
    /// wish is handed on.
    pub(super) patience: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { pause: Duration::from_millis(250), times: 2, patience: Duration::from_secs(10) }
    }
}

impl Retry {
    /// The pauses of one call.
    pub(super) fn pauses(&self) -> ExponentialBuilder {
        ExponentialBuilder::default().with_min_delay(self.pause).with_max_times(self.times).with_jitter()
    }

    /// The next pause, given what the server asked for; `None` ends the call.
    pub(super) fn pause(&self, asked: Option<Duration>, ours: Option<Duration>) -> Option<Duration> {
        let ours = ours?;
        match asked {
            Some(asked) if asked > self.patience => None,
            Some(asked) => Some(asked.max(ours)),
            None => Some(ours),
        }
    }
}

/// What the header `Retry-After` asks for, in seconds or as a date (RFC 9110, section 10.2.3). At most an
/// hour; one that cannot be read asks for nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let date = Time::from(httpdate::parse_http_date(text).ok()?);
        (date - now).to_std().unwrap_or_default()
    };
    Some(asked.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date_and_is_bounded() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let seconds = Duration::from_secs;
        let cases = [
            ("7", Some(seconds(7))),
            (" 0 ", Some(seconds(0))),
            ("Sun, 01 Mar 2026 12:00:05 GMT", Some(seconds(5))),
            ("Sunday, 01-Mar-26 12:00:05 GMT", Some(seconds(5))),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(seconds(0))),
            ("99999999", Some(LONGEST)),
            ("99999999999999999999999999", Some(LONGEST)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
            assert_eq!(retry_after(&headers, now), expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_pause_is_as_long_as_the_server_asks_unless_that_is_more_than_we_wait() {
        let retry = Retry::default();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(retry.pause(None, seconds(1)), seconds(1));
        assert_eq!(retry.pause(seconds(4), seconds(1)), seconds(4));
        assert_eq!(retry.pause(seconds(0), seconds(1)), seconds(1));
        assert_eq!(retry.pause(seconds(11), seconds(1)), None);
        assert_eq!(retry.pause(seconds(4), None), None, "the tries are used up");
    }
}
