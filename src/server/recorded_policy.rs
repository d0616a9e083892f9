//! The policy in force, as `replay` reads it back.

use crate::domain::{QuietHours, StormPolicy};
use crate::notify::plan::{Policy, StatusPolicy};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// The settings that decide about emails. Times are in milliseconds.
pub(super) fn recorded_policy(policy: &Policy, storm_policy: &StormPolicy) -> Value {
    json!({ "notices": notices(policy), "storm": storm(storm_policy, policy) })
}

/// Whether two recorded policies have the same storm brake.
pub(super) fn has_same_storm_brake(one: &Value, other: &Value) -> bool {
    one.get("storm").is_some() && one.get("storm") == other.get("storm")
}

fn notices(policy: &Policy) -> Value {
    // Each setting is named, so that a new one is not forgotten here.
    let Policy {
        expired,
        disconnected,
        disconnected_direct,
        min_gap,
        max_per_month,
        quiet_hours,
        time_zone,
        digest_window,
        announces_recoveries,
        has_app_url,
        drip_per_minute: _,
    } = policy;
    json!({
        "expired": status(expired),
        "disconnected": status(disconnected),
        "disconnected_direct": disconnected_direct,
        "min_gap": milliseconds(min_gap),
        "max_per_month": max_per_month,
        "quiet_hours": quiet_hours.map(|QuietHours { from, until }| [from.to_string(), until.to_string()]),
        "time_zone": time_zone.name(),
        "digest_window": milliseconds(digest_window),
        "recovered": announces_recoveries,
        "has_app_url": has_app_url,
    })
}

fn status(policy: &StatusPolicy) -> Value {
    let StatusPolicy { first_after, enabled, reminders } = policy;
    let reminders: Vec<_> = reminders.iter().map(milliseconds).collect();
    json!({ "first_after": milliseconds(first_after), "enabled": enabled, "reminders": reminders })
}

fn storm(storm: &StormPolicy, policy: &Policy) -> Value {
    let StormPolicy { min_members, share, fleet_share, window } = storm;
    json!({
        "min_members": min_members,
        "share": share,
        "fleet_share": fleet_share,
        "window": milliseconds(window),
        "drip_per_minute": policy.drip_per_minute,
    })
}

fn milliseconds(time: &TimeDelta) -> i64 {
    time.num_milliseconds()
}
