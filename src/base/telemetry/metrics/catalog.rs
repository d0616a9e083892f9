//! What each metric means, which series exist from the start, and the buckets of the histograms.

use super::names::*;
use crate::domain::{Client, LinkAction};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Each name with its meaning.
const COUNTERS: [(&str, &str); 16] = [
    (STORMS, "Storms that began: email about their sources is held"),
    (SWEEPS, "Sweeps that ended, by outcome"),
    (SWEEP_TICKS_SKIPPED, "Schedule ticks skipped because a sweep was running"),
    (MEMBERS_POLLED, "Members polled by sweeps, by outcome"),
    (TRANSITIONS, "Changes of a connection's status, by new status"),
    (LAPSES_OPENED, "Lapses that responses opened or resumed"),
    (LAPSES_CLOSED, "Lapses that responses and members closed, by outcome"),
    (EVENT_ATTEMPTS, "Attempts to deliver an event, by outcome"),
    (NOTICE_ATTEMPTS, "Attempts to send a notice, by outcome"),
    (REDEMPTIONS, "Presses of a link's buttons, by outcome"),
    (LINK_REQUESTS, "Link views and button presses, by bots and people"),
    (LINK_REQUESTS_DROPPED, "Link requests not counted because the queue was full"),
    (RATE_LIMITED_REQUESTS, "Requests on the public listener rejected with 429, by quota"),
    (BOUNCES, "Members whose address a bounce or a complaint suppressed, by kind"),
    (ROWS_PURGED, "Rows deleted because they were older than [retention] keeps them, by table"),
    (PERSON_MISMATCHES, "Connections that work, but probably with the records of another person"),
];

const GAUGES: [(&str, &str); 26] = [
    (BUILD_INFO, "The running version, with the value 1"),
    (CONFIG_RELOAD_SUCCESSFUL, "1 when the last load of the configuration succeeded, else 0"),
    (CONFIG_RELOADED_AT, "When the configuration was loaded, in seconds since the Unix epoch"),
    (INSTANCES, "Live instances that share the database"),
    (CLOCK_DIFFERENCE, "How far the database server's clock is ahead of this machine's, in seconds"),
    (LAST_SWEEP, "When the last sweep ended, in seconds since the Unix epoch"),
    (LAST_COMPLETE_SWEEP, "When the last complete sweep ended, in seconds since the Unix epoch"),
    (SWEEP_LAG, "Age of the first schedule tick that no sweep has followed yet; 0 without one"),
    (SWEEPS_OVERDUE, "1 when no sweep has started for several periods of the schedule"),
    (MEMBERS, "Enrolled members, by state"),
    (MEMBERS_UNCLEAR, "Unpaused members whose last poll gave no usable response"),
    (MEMBERS_UNREACHABLE, "Members without a usable response for 24 hours, as of the last sweep"),
    (MEMBERS_SUPPRESSED, "Enrolled members whose address must not receive email"),
    (CREDENTIALS, "Enrolled members, by the state of their credential"),
    (
        CREDENTIALS_UNDER_OLD_KEYS,
        "Refresh tokens that another key than the newest one of the key ring sealed",
    ),
    (CONNECTIONS, "Connections of enrolled members, by status"),
    (LAPSES_OPEN, "Open lapses"),
    (FUNNEL, "Lapses that opened in the last 30 days, by the stages that they reached"),
    (NOTICES, "Notices in the database, by state"),
    (QUEUE_AGE, "Age of the oldest notice that was due and is not sent, retries included, held ones not"),
    (HOLDS, "Holds that have not ended, by kind"),
    (PATH_ALARMS, "Sources and email domains of which people press far fewer links than usual"),
    (EVENTS, "Events that are not delivered, by state"),
    (DATABASE_SIZE, "Size of the database"),
    (DATABASE_LOG_SIZE, "Size of SQLite's write-ahead log; 0 on a server"),
    (WRITES_WAITING, "Units of work that wait for their turn to write"),
];

/// With their buckets.
const HISTOGRAMS: [(&str, &str, &[f64]); 7] = [
    (SWEEP_DURATION, "Sweep duration in seconds", &LONG),
    (
        GATEWAY_REQUEST_DURATION,
        "Duration of a request to the gateway, without the wait for a slot, by operation and outcome",
        &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
    ),
    (RECOVERY_DURATION, "Time from the first observation of a break to the recovery, in seconds", &DAYS),
    (EMAIL_DELAY, "Time from the opening of a lapse to the first email about it, in seconds", &DAYS),
    (
        TOKEN_COMMIT_DURATION,
        "Time from the arrival of a member's new tokens to their commit, in seconds",
        &SHORT,
    ),
    (COMMIT_DURATION, "Duration of a commit to the database, in seconds", &SHORT),
    (COMMIT_UNITS, "Units of work in a commit", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
];

/// Seconds, of writes to the database.
const SHORT: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Seconds. A fleet can have a dozen members or hundreds of thousands.
const LONG: [f64; 10] = [0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0];
/// Seconds, from a minute to a month.
const DAYS: [f64; 11] = [
    60.0,
    600.0,
    3600.0,
    21_600.0,
    43_200.0,
    86_400.0,
    172_800.0,
    259_200.0,
    604_800.0,
    1_209_600.0,
    2_592_000.0,
];

/// The counters with one label: the label and all its values. Each series starts at zero, so that an alert also sees its
/// first event.
pub(super) const SERIES: [(&str, &str, &[&str]); 10] = [
    (EVENT_ATTEMPTS, "outcome", &["delivered", "retry", "failed"]),
    (SWEEPS, "outcome", &["complete", "incomplete"]),
    (MEMBERS_POLLED, "outcome", &["clear", "unclear"]),
    (TRANSITIONS, "to", &STATUSES),
    (LAPSES_CLOSED, "outcome", &["recovered", "removed", "dismissed"]),
    (
        NOTICE_ATTEMPTS,
        "outcome",
        &["sent", "retry", "deferred", "abandoned", "unknown", "cancelled", "interrupted"],
    ),
    (
        REDEMPTIONS,
        "outcome",
        &[
            "redirected",
            "resumed",
            "reconnected",
            "needs_confirmation",
            "needs_app",
            "refused",
            "too_many_presses",
            "retry_later",
            "unavailable",
            "dismissed",
            "snoozed",
            "dismissal_undone",
            "snooze_undone",
        ],
    ),
    (
        RATE_LIMITED_REQUESTS,
        "quota",
        &[
            "requests",
            "presses",
            "resends",
            "one_clicks",
            "hook_passwords",
            "hook_signatures",
            "admin_tokens",
        ],
    ),
    (
        ROWS_PURGED,
        "table",
        &[
            "links",
            "notices",
            "invitations",
            "decisions",
            "lapses",
            "connections",
            "transitions",
            "lapse_changes",
            "member_changes",
            "holds",
            "policy_changes",
            "planner_pauses",
            "events",
            "link_requests",
            "audit",
            "members",
        ],
    ),
    (BOUNCES, "kind", &["hard_bounce", "complaint", "unsubscribed"]),
];

/// The statuses that have a series of their own.
pub(super) const STATUSES: [&str; 7] =
    ["CONNECTED", "DISCONNECTED", "EXPIRED", "DELETED", "ACCESS_ENDED", "ERROR", OTHER_STATUS];
/// Every unknown status, because the gateway chooses its text.
pub(super) const OTHER_STATUS: &str = "OTHER";

pub(super) fn builder() -> Result<PrometheusBuilder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, _, buckets) in HISTOGRAMS {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
    }
    Ok(builder)
}

pub(super) fn describe() {
    for (name, meaning) in COUNTERS {
        describe_counter!(name, meaning);
    }
    for (name, meaning) in GAUGES {
        describe_gauge!(name, meaning);
    }
    for (name, meaning, _) in HISTOGRAMS {
        describe_histogram!(name, meaning);
    }
}

pub(super) fn create_series() {
    for (name, label, values) in SERIES {
        for value in values {
            counter!(name, label => *value).increment(0);
        }
    }
    for action in [LinkAction::View, LinkAction::Press] {
        for client in [Client::Bot, Client::Human] {
            counter!(LINK_REQUESTS, "action" => action.as_str(), "client" => client.as_str()).increment(0);
        }
    }
    for name in [SWEEP_TICKS_SKIPPED, LINK_REQUESTS_DROPPED, PERSON_MISMATCHES, LAPSES_OPENED, STORMS] {
        counter!(name).increment(0);
    }
}

/// The status as a label.
pub(super) fn status_label(status: &str) -> &'static str {
    STATUSES.into_iter().find(|known| *known == status).unwrap_or(OTHER_STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// The names of metrics in a document, without those of a histogram's parts.
    fn names_in(path: &str) -> BTreeSet<String> {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("reconnectd_"));
        words
            .map(|word| {
                let parts = ["_bucket", "_sum", "_count"];
                parts.iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word).to_owned()
            })
            .collect()
    }

    fn known() -> BTreeSet<String> {
        let pairs = COUNTERS.iter().chain(&GAUGES).map(|(name, _)| *name);
        pairs.chain(HISTOGRAMS.iter().map(|(name, ..)| *name)).map(str::to_owned).collect()
    }

    #[test]
    fn the_readme_lists_every_metric_and_no_other() {
        assert_eq!(names_in("README.md"), known());
    }

    #[test]
    fn every_series_belongs_to_a_counter_with_a_meaning() {
        for (name, ..) in SERIES {
            assert!(COUNTERS.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
