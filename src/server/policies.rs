//! The policies that a configuration describes.

use crate::base::config::{Config, Storm};
use crate::domain::StormPolicy;
use crate::notify::plan;
use chrono::TimeDelta;
use std::time::Duration;

pub(super) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

pub(super) fn storm_policy(storm: &Storm) -> StormPolicy {
    StormPolicy {
        min_members: storm.min_members.into(),
        share: storm.share,
        fleet_share: storm.fleet_share,
        window: delta(storm.window),
    }
}

pub(super) fn deltas(durations: &[Duration]) -> Vec<TimeDelta> {
    durations.iter().copied().map(delta).collect()
}

/// What the planner and the gates decide by.
pub(crate) fn planning_policy(config: &Config) -> plan::Policy {
    let notices = &config.notices;
    let (expired, disconnected) = (&notices.expired, &notices.disconnected);
    let per_status = |enabled, first_after, reminders: &[_]| plan::StatusPolicy {
        enabled,
        first_after: delta(first_after),
        reminders: deltas(reminders),
    };
    plan::Policy {
        expired: per_status(expired.enabled, expired.first_after, &expired.reminders),
        disconnected: per_status(disconnected.enabled, disconnected.first_after, &disconnected.reminders),
        disconnected_direct: disconnected.direct,
        min_gap: delta(notices.min_gap),
        max_per_month: notices.max_per_month as usize,
        quiet_hours: notices.quiet_hours,
        time_zone: notices.time_zone,
        digest_window: delta(notices.digest_window),
        announces_recoveries: notices.recovered.enabled,
        has_app_url: notices.app_url.is_some(),
        drip_per_minute: config.storm.drip_per_minute,
    }
}
