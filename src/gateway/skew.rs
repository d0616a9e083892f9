//! How far our clock is off, by the gateway's own.

use crate::domain::Time;
use chrono::TimeDelta;
use reqwest::header::{DATE, HeaderMap};
use std::sync::{Mutex, PoisonError};

/// From here on tokens and signatures can be refused because of it.
const PROBLEM: TimeDelta = TimeDelta::minutes(2);

/// The last measurement.
#[derive(Default)]
pub(super) struct Skew(Mutex<Option<TimeDelta>>);

impl Skew {
    /// How far our clock was ahead of the gateway's at the last response that told; negative: behind.
    pub(super) fn latest(&self) -> Option<TimeDelta> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the response's `Date` with our time. Warns when the clock goes off, not at each response.
    pub(super) fn measure(&self, headers: &HeaderMap, now: Time) {
        let Some(skew) = skew(headers, now) else { return };
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_off = latest.replace(skew).is_some_and(is_off);
        drop(latest);
        if is_off(skew) && !was_off {
            let seconds = skew.num_seconds();
            tracing::warn!(
                seconds,
                "this machine's clock is ahead of the gateway's by so many seconds (negative: behind); check its time service"
            );
        }
    }
}

fn is_off(skew: TimeDelta) -> bool {
    skew.abs() >= PROBLEM
}

fn skew(headers: &HeaderMap, now: Time) -> Option<TimeDelta> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?.trim()).ok()?;
    Some(now - Time::from(date))
}
