//! The quota of lists per window.

use super::settings::Settings;
use crate::domain::Time;
use chrono::TimeDelta;

#[derive(Default)]
pub(super) struct Quota {
    started: Option<Time>,
    count: u32,
}

impl Quota {
    /// Counts a list. Returns the seconds until the window ends when its quota is used up.
    pub(super) fn record(&mut self, settings: &Settings, now: Time) -> Option<i64> {
        if settings.list_quota == 0 {
            *self = Self::default();
            return None;
        }
        let window = TimeDelta::seconds(settings.quota_window.into());
        let started = *self.started.get_or_insert(now);
        if now - started >= window {
            *self = Self { started: Some(now), count: 0 };
        }
        if self.count < settings.list_quota {
            self.count += 1;
            return None;
        }
        let left = self.started.unwrap_or(now) + window - now;
        Some((left.num_milliseconds() + 999) / 1000)
    }
}
