//! What is counted and measured as it happens.

use super::catalog::{SERIES, status_label};
use super::names::*;
use crate::domain::{Client, LinkAction, Outcome, Status, Suppression};
use chrono::TimeDelta;
use metrics::{counter, histogram};
use std::time::Duration;

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
    count(TRANSITIONS, status_label(to.as_str()));
}

pub(crate) fn count_event_attempt(outcome: &'static str) {
    count(EVENT_ATTEMPTS, outcome);
}

pub(crate) fn count_notice(outcome: &'static str) {
    count(NOTICE_ATTEMPTS, outcome);
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

pub(crate) fn count_purged_rows(table: &'static str, rows: u64) {
    add(ROWS_PURGED, table, rows);
}

pub(crate) fn count_person_mismatch() {
    counter!(PERSON_MISMATCHES).increment(1);
}

pub(crate) fn count_opened_lapses(lapses: u64) {
    counter!(LAPSES_OPENED).increment(lapses);
}

pub(crate) fn count_closed_lapse(outcome: Outcome) {
    count(LAPSES_CLOSED, outcome.as_str());
}

/// `duration`: from the first observation of the break.
pub(crate) fn record_recovery(duration: TimeDelta) {
    histogram!(RECOVERY_DURATION).record(duration.to_std().unwrap_or_default());
}

/// `delay`: from the opening of a lapse to the first email about it.
pub(crate) fn record_email_delay(delay: TimeDelta) {
    histogram!(EMAIL_DELAY).record(delay.to_std().unwrap_or_default());
}

pub(crate) fn record_gateway_request(operation: &'static str, outcome: &'static str, duration: Duration) {
    histogram!(GATEWAY_REQUEST_DURATION, "operation" => operation, "outcome" => outcome).record(duration);
}

/// From their arrival. Until then, the end of the process loses rotated tokens.
pub(crate) fn record_token_commit(duration: Duration) {
    histogram!(TOKEN_COMMIT_DURATION).record(duration);
}

/// `units`: the units of work that one commit made durable.
pub(crate) fn record_commit(units: usize, duration: Duration) {
    histogram!(COMMIT_UNITS).record(units as f64);
    histogram!(COMMIT_DURATION).record(duration);
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{builder, create_series, describe};
    use super::super::gauges::{FleetGauges, set_events, set_fleet};
    use super::*;
    use std::collections::BTreeMap;

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
            count_closed_lapse(Outcome::Recovered);
            record_gateway_request("getMemberConnections", "ok", Duration::from_millis(20));
            set_fleet(&FleetGauges {
                connections: BTreeMap::from([("EXPIRED".to_owned(), 2), ("sk-a-secret".to_owned(), 3)]),
                credentials: BTreeMap::from([("rejected".to_owned(), 4)]),
                ..FleetGauges::default()
            });
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
            "reconnectd_lapses_closed_total{outcome=\"recovered\"} 1",
            "reconnectd_gateway_request_duration_seconds_bucket{operation=\"getMemberConnections\",outcome=\"ok\",le=\"0.025\"} 1",
            "reconnectd_connections{status=\"EXPIRED\"} 2",
            "reconnectd_connections{status=\"OTHER\"} 3",
            "reconnectd_connections{status=\"CONNECTED\"} 0",
            "reconnectd_credentials{state=\"rejected\"} 4",
            "reconnectd_bounces_total{kind=\"hard_bounce\"} 2",
        ] {
            assert!(text.lines().any(|rendered| rendered == line), "{line} is not in\n{text}");
        }
    }
}
