//! The retries within one call, and the header `Retry-After`.

use super::fault::Fault;
use crate::base::retry_after::parse_retry_after;
use crate::domain::Time;
use backon::ExponentialBuilder;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use std::time::Duration;

/// Whether a request may be sent again within one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// A second request changes nothing more than the first.
    Idempotent,
    /// Only if nothing of the first request left this machine. Otherwise the gateway may have carried it out.
    OnlyIfUnsent,
}

impl RetryPolicy {
    pub(super) fn allows_retry_after(self, fault: &Fault) -> bool {
        match fault {
            Fault::Unreachable(_) => true,
            Fault::Interrupted(_) => self == Self::Idempotent,
            Fault::Status { status, .. } => {
                self == Self::Idempotent
                    && (status.is_server_error()
                        || matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS))
            }
            _ => false,
        }
    }
}

/// The number of retries within one call, and the pauses between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retries {
    /// Each further pause is twice as long. Jitter adds up to the same length again.
    pub(super) first_pause: Duration,
    pub(super) max_retries: usize,
    /// The longest `Retry-After` that is waited for within the call. A longer one ends the call and is reported to the
    /// caller.
    pub(super) max_retry_after: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(250),
            max_retries: 2,
            max_retry_after: Duration::from_secs(10),
        }
    }
}

impl Retries {
    pub(super) fn pauses(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.first_pause)
            .with_max_times(self.max_retries)
            .with_jitter()
    }

    /// The next pause, given the server's `Retry-After` and the backoff's own pause; `None` ends the call.
    pub(super) fn pause(&self, retry_after: Option<Duration>, backoff: Option<Duration>) -> Option<Duration> {
        let backoff = backoff?;
        match retry_after {
            Some(asked) if asked > self.max_retry_after => None,
            Some(asked) => Some(asked.max(backoff)),
            None => Some(backoff),
        }
    }
}

/// The header `Retry-After`. `None` when it cannot be read.
pub(super) fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::retry_after::MAX_RETRY_AFTER;
    use reqwest::header::HeaderValue;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_capped() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let seconds = Duration::from_secs;
        let cases = [
            ("7", Some(seconds(7))),
            (" 0 ", Some(seconds(0))),
            ("Sun, 01 Mar 2026 12:00:05 GMT", Some(seconds(5))),
            ("Sunday, 01-Mar-26 12:00:05 GMT", Some(seconds(5))),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(seconds(0))),
            ("99999999", Some(MAX_RETRY_AFTER)),
            ("99999999999999999999999999", Some(MAX_RETRY_AFTER)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(MAX_RETRY_AFTER)),
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
    fn a_pause_is_as_long_as_the_server_asks_up_to_a_limit() {
        let retries = Retries::default();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(retries.pause(None, seconds(1)), seconds(1));
        assert_eq!(retries.pause(seconds(4), seconds(1)), seconds(4));
        assert_eq!(retries.pause(seconds(0), seconds(1)), seconds(1));
        assert_eq!(retries.pause(seconds(11), seconds(1)), None);
        assert_eq!(retries.pause(seconds(4), None), None, "no retry is left");
    }
}
