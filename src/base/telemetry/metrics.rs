//! The metrics by name. Label values come from fixed sets, never from ids or foreign text: each value is a time series.

use crate::domain::{Client, EventState, LinkAction, Status, Suppression, Time};
use chrono::TimeDelta;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::collections::BTreeMap;
use std::time::Duration;

const STORMS: &str = "reconnectd_storms_total";
const SWEEPS: &str = "reconnectd_sweeps_total";
const SWEEP_TICKS_SKIPPED: &str = "reconnectd_sweep_ticks_skipped_total";
const SWEEP_DURATION: &str = "reconnectd_sweep_duration_seconds";
const MEMBERS_POLLED: &str = "reconnectd_members_polled_total";
const TRANSITIONS: &str = "reconnectd_transitions_total";
const EVENTS: &str = "reconnectd_events";
const EVENT_ATTEMPTS: &str = "reconnectd_event_attempts_total";
const NOTICES: &str = "reconnectd_notices_total";
const REDEMPTIONS: &str = "reconnectd_redemptions_total";
const LINK_REQUESTS: &str = "reconnectd_link_requests_total";
const LINK_REQUESTS_DROPPED: &str = "reconnectd_link_requests_dropped_total";
const RATE_LIMITED_REQUESTS: &str = "reconnectd_rate_limited_requests_total";
const BOUNCES: &str = "reconnectd_bounces_total";
const LAST_SWEEP: &str = "reconnectd_last_sweep_timestamp_seconds";
const LAST_COMPLETE_SWEEP: &str = "reconnectd_last_complete_sweep_timestamp_seconds";
const SWEEPS_OVERDUE: &str = "reconnectd_sweeps_overdue";
const MEMBERS_UNREACHABLE: &str = "reconnectd_members_unreachable";
const PERSON_MISMATCHES: &str = "reconnectd_person_mismatches_total";
const INSTANCES: &str = "reconnectd_instances";
const CLOCK_DIFFERENCE: &str = "reconnectd_database_clock_difference_seconds";

/// The counters with one label: the label and all its values. Each series starts at zero, so that an alert also sees its
/// first event.
const SERIES: [(&str, &str, &[&str]); 8] = [
    (EVENT_ATTEMPTS, "outcome", &["delivered", "retry", "failed"]),
    (SWEEPS, "outcome", &["complete", "incomplete"]),
    (MEMBERS_POLLED, "outcome", &["clear", "unclear"]),
    (
        TRANSITIONS,
        "to",
        &["CONNECTED", "DISCONNECTED", "EXPIRED", "DELETED", "ACCESS_ENDED", "ERROR", OTHER_STATUS],
    ),
    (NOTICES, "outcome", &["sent", "retry", "deferred", "abandoned", "unknown", "cancelled", "interrupted"]),
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
        &["requests", "presses", "resends", "one_clicks", "hook_passwords", "admin_tokens"],
    ),
    (BOUNCES, "kind", &["hard_bounce", "complaint", "unsubscribed"]),
];
/// Every unknown status, because the gateway chooses its text.
const OTHER_STATUS: &str = "OTHER";

/// Seconds. A fleet can have a dozen members or hundreds of thousands.
const DURATION_BUCKETS: [f64; 10] = [0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0];

/// Installs the process's recorder. Values that are counted before are lost.
///
/// # Errors
/// When a recorder is already installed.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = builder()?.install_recorder()?;
    describe();
    create_series();
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(SWEEP_DURATION.to_owned()), &DURATION_BUCKETS)
}

fn describe() {
    describe_counter!(STORMS, "Storms that began: email about their sources is held");
    describe_counter!(SWEEPS, "Sweeps that ended, by outcome");
    describe_counter!(SWEEP_TICKS_SKIPPED, "Schedule ticks skipped because a sweep was running");
    describe_histogram!(SWEEP_DURATION, "Sweep duration in seconds");
    describe_counter!(MEMBERS_POLLED, "Members polled by sweeps, by outcome");
    describe_counter!(TRANSITIONS, "Changes of a connection's status, by new status");
    describe_gauge!(EVENTS, "Events that are not delivered, by state");
    describe_counter!(EVENT_ATTEMPTS, "Attempts to deliver an event, by outcome");
    describe_counter!(NOTICES, "Attempts to send a notice, by outcome");
    describe_counter!(REDEMPTIONS, "Presses of a link's buttons, by outcome");
    describe_counter!(LINK_REQUESTS, "Link views and button presses, by bots and people");
    describe_counter!(LINK_REQUESTS_DROPPED, "Link requests not counted because the queue was full");
    describe_counter!(RATE_LIMITED_REQUESTS, "Requests on the public listener rejected with 429, by quota");
    describe_counter!(BOUNCES, "Members whose address a bounce or a complaint suppressed, by kind");
    describe_gauge!(LAST_SWEEP, "When the last sweep ended, in seconds since the Unix epoch");
    describe_gauge!(
        LAST_COMPLETE_SWEEP,
        "When the last complete sweep ended, in seconds since the Unix epoch"
    );
    describe_gauge!(SWEEPS_OVERDUE, "1 when no sweep has started for several periods of the schedule");
    describe_gauge!(
        MEMBERS_UNREACHABLE,
        "Members without a usable response for 24 hours, as of the last sweep"
    );
    describe_gauge!(INSTANCES, "Live instances that share the database");
    describe_gauge!(
        CLOCK_DIFFERENCE,
        "How far the database server's clock is ahead of this machine's, in seconds"
    );
    describe_counter!(
        PERSON_MISMATCHES,
        "Connections that work, but probably with the records of another person"
    );
}

fn create_series() {
    for (name, label, values) in SERIES {
        for value in values {
            counter!(name, label => *value).increment(0);
        }
    }
    for action in [LinkAction::View, LinkAction::Press] {
        for client in [Client::Bot, Client::Human] {
            count_link_requests(action, client, 0);
        }
    }
    for name in [SWEEP_TICKS_SKIPPED, LINK_REQUESTS_DROPPED, PERSON_MISMATCHES] {
        counter!(name).increment(0);
    }
}

/// Counts one event of a series in [`SERIES`].
fn count(name: &'static str, value: &'static str) {
    add(name, value, 1);
}

fn add(name: &'static str, value: &'static str, events: u64) {
    let series = SERIES.iter().find(|(other, ..)| *other == name);
    debug_assert!(series.is_some_and(|(_, _, values)| values.contains(&value)), "{name} {value}");
    let label = series.map_or("outcome", |(_, label, _)| label);
    counter!(name, label => value).increment(events);
}

pub(crate) fn count_sweep(outcome: &'static str, duration: Duration) {
    count(SWEEPS, outcome);
    histogram!(SWEEP_DURATION).record(duration);
}

pub(crate) fn count_storm() {
    counter!(STORMS).increment(1);
}

pub(crate) fn count_skipped_tick() {
    counter!(SWEEP_TICKS_SKIPPED).increment(1);
}

pub(crate) fn count_polled_members(outcome: &'static str, members: u64) {
    add(MEMBERS_POLLED, outcome, members);
}

pub(crate) fn count_transition(to: &Status) {
    let known =
        SERIES.iter().filter(|(name, ..)| *name == TRANSITIONS).flat_map(|(.., values)| values.iter());
    count(TRANSITIONS, known.copied().find(|known| *known == to.as_str()).unwrap_or(OTHER_STATUS));
}

pub(crate) fn count_event_attempt(outcome: &'static str) {
    count(EVENT_ATTEMPTS, outcome);
}

/// A state that is not named has no events.
pub(crate) fn set_events(by_state: &BTreeMap<String, u64>) {
    for state in [EventState::Queued, EventState::Sending, EventState::Failed] {
        let events = by_state.get(state.as_str()).copied().unwrap_or(0);
        gauge!(EVENTS, "state" => state.as_str()).set(events as f64);
    }
}

pub(crate) fn count_notice(outcome: &'static str) {
    count(NOTICES, outcome);
}

pub(crate) fn count_redemption(outcome: &'static str) {
    count(REDEMPTIONS, outcome);
}

pub(crate) fn count_link_requests(action: LinkAction, client: Client, requests: u32) {
    counter!(LINK_REQUESTS, "action" => action.as_str(), "client" => client.as_str())
        .increment(u64::from(requests));
}

pub(crate) fn count_dropped_link_request() {
    counter!(LINK_REQUESTS_DROPPED).increment(1);
}

pub(crate) fn count_rate_limited_request(quota: &'static str) {
    count(RATE_LIMITED_REQUESTS, quota);
}

/// `reason`: not the operator's.
pub(crate) fn count_bounced_members(reason: Suppression, members: u64) {
    add(BOUNCES, reason.as_str(), members);
}

/// `None` leaves a gauge as it is.
pub(crate) fn set_last_sweeps(ended_at: Option<Time>, completed_at: Option<Time>) {
    for (name, at) in [(LAST_SWEEP, ended_at), (LAST_COMPLETE_SWEEP, completed_at)] {
        if let Some(at) = at {
            gauge!(name).set(at.timestamp_millis() as f64 / 1000.0);
        }
    }
}

pub(crate) fn set_sweeps_overdue(overdue: bool) {
    gauge!(SWEEPS_OVERDUE).set(f64::from(u8::from(overdue)));
}

pub(crate) fn set_unreachable_members(members: u64) {
    gauge!(MEMBERS_UNREACHABLE).set(members as f64);
}

pub(crate) fn set_instances(live: u32) {
    gauge!(INSTANCES).set(f64::from(live));
}

pub(crate) fn set_clock_difference(difference: TimeDelta) {
    gauge!(CLOCK_DIFFERENCE).set(difference.num_milliseconds() as f64 / 1000.0);
}

pub(crate) fn count_person_mismatch() {
    counter!(PERSON_MISMATCHES).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_starts_at_zero() {
        let recorder = builder().unwrap().build_recorder();
        ::metrics::with_local_recorder(&recorder, create_series);
        let text = recorder.handle().render();
        for line in [
            "reconnectd_notices_total{outcome=\"abandoned\"} 0",
            "reconnectd_transitions_total{to=\"EXPIRED\"} 0",
            "reconnectd_transitions_total{to=\"OTHER\"} 0",
            "reconnectd_link_requests_total{action=\"press\",client=\"human\"} 0",
            "reconnectd_rate_limited_requests_total{quota=\"resends\"} 0",
            "reconnectd_bounces_total{kind=\"complaint\"} 0",
            "reconnectd_sweep_ticks_skipped_total 0",
            "reconnectd_person_mismatches_total 0",
        ] {
            assert!(text.lines().any(|rendered| rendered == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn metrics_are_rendered_under_their_names() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        ::metrics::with_local_recorder(&recorder, || {
            describe();
            count_sweep("complete", Duration::from_secs(2));
            count_skipped_tick();
            count_polled_members("unclear", 1);
            count_transition(&Status::Expired);
            count_transition(&Status::Unknown("sk-a-secret".into()));
            count_notice("sent");
            count_event_attempt("retry");
            set_events(&BTreeMap::from([("queued".to_owned(), 2)]));
            count_redemption("redirected");
            count_link_requests(LinkAction::View, Client::Bot, 3);
            count_rate_limited_request("presses");
            count_person_mismatch();
            count_bounced_members(Suppression::HardBounce, 2);
        });
        let text = handle.render();
        for line in [
            "# HELP reconnectd_sweeps_total Sweeps that ended, by outcome",
            "reconnectd_sweeps_total{outcome=\"complete\"} 1",
            "reconnectd_sweep_ticks_skipped_total 1",
            "reconnectd_sweep_duration_seconds_bucket{le=\"1\"} 0",
            "reconnectd_sweep_duration_seconds_bucket{le=\"5\"} 1",
            "reconnectd_members_polled_total{outcome=\"unclear\"} 1",
            "reconnectd_transitions_total{to=\"EXPIRED\"} 1",
            "reconnectd_transitions_total{to=\"OTHER\"} 1",
            "reconnectd_notices_total{outcome=\"sent\"} 1",
            "reconnectd_event_attempts_total{outcome=\"retry\"} 1",
            "reconnectd_events{state=\"queued\"} 2",
            "reconnectd_events{state=\"failed\"} 0",
            "reconnectd_redemptions_total{outcome=\"redirected\"} 1",
            "reconnectd_link_requests_total{action=\"view\",client=\"bot\"} 3",
            "reconnectd_rate_limited_requests_total{quota=\"presses\"} 1",
            "reconnectd_person_mismatches_total 1",
            "reconnectd_bounces_total{kind=\"hard_bounce\"} 2",
        ] {
            assert!(text.lines().any(|rendered| rendered == line), "{line} is not in\n{text}");
        }
    }
}
