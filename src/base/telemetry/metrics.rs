//! The metrics by name. Labels hold words of ours alone, never an id or a text from outside: each value is a
//! time series.

use crate::domain::{Client, LinkAction, Status, Time};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;

const SWEEPS: &str = "reconnectd_sweeps_total";
const TICKS_SKIPPED: &str = "reconnectd_sweep_ticks_skipped_total";
const SWEEP_DURATION: &str = "reconnectd_sweep_duration_seconds";
const MEMBERS_POLLED: &str = "reconnectd_members_polled_total";
const TRANSITIONS: &str = "reconnectd_transitions_total";
const NOTICES: &str = "reconnectd_notices_total";
const REDEMPTIONS: &str = "reconnectd_redemptions_total";
const LINK_REQUESTS: &str = "reconnectd_link_requests_total";
const LINK_REQUESTS_DROPPED: &str = "reconnectd_link_requests_dropped_total";
const LIMITED: &str = "reconnectd_requests_limited_total";
const LAST_SWEEP: &str = "reconnectd_last_sweep_timestamp_seconds";
const LAST_COMPLETE_SWEEP: &str = "reconnectd_last_complete_sweep_timestamp_seconds";
const SWEEPS_OVERDUE: &str = "reconnectd_sweeps_overdue";
const UNREACHABLE: &str = "reconnectd_members_unreachable";
const PERSON_MISMATCHES: &str = "reconnectd_person_mismatches_total";

/// From a dozen members to hundreds of thousands: seconds to hours.
const DURATION_BUCKETS: [f64; 10] = [0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0];

/// Counts from now on, in a form for Prometheus. Once in a process; what is counted before goes nowhere.
///
/// # Errors
/// At the second call.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = builder()?.install_recorder()?;
    describe();
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(SWEEP_DURATION.to_owned()), &DURATION_BUCKETS)
}

fn describe() {
    describe_counter!(SWEEPS, "Sweeps that ended, by result");
    describe_counter!(TICKS_SKIPPED, "Ticks of the schedule that came while a sweep ran");
    describe_histogram!(SWEEP_DURATION, "How long sweeps took, in seconds");
    describe_counter!(MEMBERS_POLLED, "Members asked about at the gateway, by result");
    describe_counter!(TRANSITIONS, "Changes of a connection's status, by new status");
    describe_counter!(NOTICES, "Attempts to send a notice, by outcome");
    describe_counter!(REDEMPTIONS, "Presses of a page's button, by result");
    describe_counter!(LINK_REQUESTS, "Link views and button presses, by bots and people");
    describe_counter!(LINK_REQUESTS_DROPPED, "Link requests not counted because the queue was full");
    describe_counter!(LIMITED, "Requests for a member's page turned away, by limit");
    describe_gauge!(LAST_SWEEP, "When the last sweep ended, in seconds since the Unix epoch");
    describe_gauge!(
        LAST_COMPLETE_SWEEP,
        "When the last complete sweep ended, in seconds since the Unix epoch"
    );
    describe_gauge!(SWEEPS_OVERDUE, "1 when no sweep has begun for several periods of the schedule");
    describe_gauge!(UNREACHABLE, "Members without a usable response for 24 hours, as of the last sweep");
    describe_counter!(
        PERSON_MISMATCHES,
        "Connections found to work, but probably for another person than the member"
    );
}

/// A sweep ended.
pub(crate) fn sweep_ended(result: &'static str, took: Duration) {
    counter!(SWEEPS, "result" => result).increment(1);
    histogram!(SWEEP_DURATION).record(took);
}

/// A tick came while a sweep ran.
pub(crate) fn sweep_tick_skipped() {
    counter!(TICKS_SKIPPED).increment(1);
}

/// The gateway was asked about a member.
pub(crate) fn member_polled(result: &'static str) {
    counter!(MEMBERS_POLLED, "result" => result).increment(1);
}

/// A transition was recorded. Statuses that we do not know are counted as `OTHER`.
pub(crate) fn transition(to: &Status) {
    let to = if let Status::Unknown(_) = to { "OTHER".to_owned() } else { to.as_str().to_owned() };
    counter!(TRANSITIONS, "to" => to).increment(1);
}

/// An attempt to send a notice ended.
pub(crate) fn notice(outcome: &'static str) {
    counter!(NOTICES, "outcome" => outcome).increment(1);
}

/// A member pressed a page's button.
pub(crate) fn redemption(result: &'static str) {
    counter!(REDEMPTIONS, "result" => result).increment(1);
}

pub(crate) fn link_requests(action: LinkAction, client: Client, requests: u32) {
    counter!(LINK_REQUESTS, "action" => action.as_str(), "client" => client.as_str())
        .increment(u64::from(requests));
}

pub(crate) fn link_request_dropped() {
    counter!(LINK_REQUESTS_DROPPED).increment(1);
}

/// A client asked for too much.
pub(crate) fn request_limited(limit: &'static str) {
    counter!(LIMITED, "limit" => limit).increment(1);
}

/// A sweep ended then; `complete` where the last complete one did.
pub(crate) fn last_sweeps(ended: Option<Time>, complete: Option<Time>) {
    for (name, at) in [(LAST_SWEEP, ended), (LAST_COMPLETE_SWEEP, complete)] {
        if let Some(at) = at {
            gauge!(name).set(at.timestamp_millis() as f64 / 1000.0);
        }
    }
}

/// Whether no sweep has begun for several periods of the schedule.
pub(crate) fn sweeps_overdue(overdue: bool) {
    gauge!(SWEEPS_OVERDUE).set(f64::from(u8::from(overdue)));
}

/// So many members have had no usable response for a day.
pub(crate) fn members_unreachable(count: u64) {
    gauge!(UNREACHABLE).set(count as f64);
}

/// A connection was found to work, but probably for another person than the member.
pub(crate) fn person_mismatch() {
    counter!(PERSON_MISMATCHES).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered_under_its_name() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        ::metrics::with_local_recorder(&recorder, || {
            describe();
            sweep_ended("complete", Duration::from_secs(2));
            sweep_tick_skipped();
            member_polled("unclear");
            transition(&Status::Expired);
            transition(&Status::Unknown("sk-a-secret".into()));
            notice("sent");
            redemption("redirected");
            link_requests(LinkAction::View, Client::Bot, 3);
            request_limited("presses");
            person_mismatch();
        });
        let text = handle.render();
        for line in [
            "# HELP reconnectd_sweeps_total Sweeps that ended, by result",
            "reconnectd_sweeps_total{result=\"complete\"} 1",
            "reconnectd_sweep_ticks_skipped_total 1",
            "reconnectd_sweep_duration_seconds_bucket{le=\"1\"} 0",
            "reconnectd_sweep_duration_seconds_bucket{le=\"5\"} 1",
            "reconnectd_members_polled_total{result=\"unclear\"} 1",
            "reconnectd_transitions_total{to=\"EXPIRED\"} 1",
            "reconnectd_transitions_total{to=\"OTHER\"} 1",
            "reconnectd_notices_total{outcome=\"sent\"} 1",
            "reconnectd_redemptions_total{result=\"redirected\"} 1",
            "reconnectd_link_requests_total{action=\"view\",client=\"bot\"} 3",
            "reconnectd_requests_limited_total{limit=\"presses\"} 1",
            "reconnectd_person_mismatches_total 1",
        ] {
            assert!(text.lines().any(|given| given == line), "{line} is not in\n{text}");
        }
    }
}
