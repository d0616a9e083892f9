//! The difference between our clock and the gateway's.

use crate::domain::Time;
use chrono::TimeDelta;
use reqwest::header::{DATE, HeaderMap};
use std::sync::{Mutex, PoisonError};

/// With a larger difference, the gateway may reject tokens and signatures.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(2);

#[derive(Default)]
pub(super) struct Skew(Mutex<Option<TimeDelta>>);

impl Skew {
    /// How far our clock was ahead of the gateway's (negative: behind) at the last response with a `Date`.
    pub(super) fn latest(&self) -> Option<TimeDelta> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the response's `Date` with our time. Warns once when the difference becomes too large.
    pub(super) fn measure(&self, headers: &HeaderMap, now: Time) {
        let Some(skew) = skew(headers, now) else { return };
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_off = latest.replace(skew).is_some_and(is_off);
        drop(latest);
        if is_off(skew) && !was_off {
            let seconds = skew.num_seconds();
            tracing::warn!(
                event = "gateway_clock_differs",
                seconds,
                "this machine's clock differs from the gateway's (negative: it is behind); check the time service"
            );
        }
    }
}

fn is_off(skew: TimeDelta) -> bool {
    skew.abs() >= MAX_SKEW
}

fn skew(headers: &HeaderMap, now: Time) -> Option<TimeDelta> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?.trim()).ok()?;
    Some(now - Time::from(date))
}
