//! What is set: the state of the fleet, of the daemon, and of its database.

use super::catalog::{STATUSES, status_label};
use super::names::*;
use crate::domain::{EventState, HoldKind, NoticeState, Time};
use chrono::TimeDelta;
use metrics::gauge;
use std::collections::BTreeMap;

/// The states of credentials, as `status` names them.
const CREDENTIAL_STATES: [&str; 4] = ["ok", "rejected", "missing", "locked"];

/// Counts of the whole fleet.
#[derive(Clone, Debug, Default)]
pub(crate) struct FleetGauges {
    pub(crate) active: u64,
    pub(crate) paused: u64,
    pub(crate) unclear: u64,
    pub(crate) suppressed: u64,
    pub(crate) lapses_open: u64,
    pub(crate) credentials: BTreeMap<String, u64>,
    pub(crate) connections: BTreeMap<String, u64>,
    pub(crate) notices: BTreeMap<String, u64>,
    /// The stages of the funnel, each with its lapses.
    pub(crate) funnel: [(&'static str, u64); 6],
}

pub(crate) fn set_fleet(fleet: &FleetGauges) {
    gauge!(MEMBERS, "state" => "active").set(fleet.active as f64);
    gauge!(MEMBERS, "state" => "paused").set(fleet.paused as f64);
    gauge!(MEMBERS_UNCLEAR).set(fleet.unclear as f64);
    gauge!(MEMBERS_SUPPRESSED).set(fleet.suppressed as f64);
    gauge!(LAPSES_OPEN).set(fleet.lapses_open as f64);
    for state in CREDENTIAL_STATES {
        gauge!(CREDENTIALS, "state" => state).set(count_of(&fleet.credentials, state));
    }
    let mut connections = BTreeMap::from(STATUSES.map(|status| (status, 0)));
    for (status, count) in &fleet.connections {
        *connections.entry(status_label(status)).or_default() += count;
    }
    for (status, count) in connections {
        gauge!(CONNECTIONS, "status" => status).set(count as f64);
    }
    for state in [
        NoticeState::Queued,
        NoticeState::Sending,
        NoticeState::Sent,
        NoticeState::Held,
        NoticeState::Abandoned,
        NoticeState::Cancelled,
    ] {
        gauge!(NOTICES, "state" => state.as_str()).set(count_of(&fleet.notices, state.as_str()));
    }
    for (stage, lapses) in fleet.funnel {
        gauge!(FUNNEL, "stage" => stage).set(lapses as f64);
    }
}

fn count_of(counts: &BTreeMap<String, u64>, key: &str) -> f64 {
    counts.get(key).copied().unwrap_or_default() as f64
}

/// A state that is not named has no events.
pub(crate) fn set_events(by_state: &BTreeMap<String, u64>) {
    for state in [EventState::Queued, EventState::Sending, EventState::Failed] {
        gauge!(EVENTS, "state" => state.as_str()).set(count_of(by_state, state.as_str()));
    }
}

/// The kinds of the holds that have not ended.
pub(crate) fn set_holds(kinds: &[HoldKind]) {
    for kind in [HoldKind::Operator, HoldKind::Storm] {
        let holds = kinds.iter().filter(|of| **of == kind).count();
        gauge!(HOLDS, "kind" => kind.as_str()).set(holds as f64);
    }
}

pub(crate) fn set_queue_age(age: TimeDelta) {
    gauge!(QUEUE_AGE).set(seconds(age));
}

/// `kind`: `source` or `domain`.
pub(crate) fn set_path_alarms(kind: &'static str, alarms: usize) {
    gauge!(PATH_ALARMS, "kind" => kind).set(alarms as f64);
}

pub(crate) fn set_database_size(bytes: u64) {
    gauge!(DATABASE_SIZE).set(bytes as f64);
}

pub(crate) fn set_database_log_size(bytes: u64) {
    gauge!(DATABASE_LOG_SIZE).set(bytes as f64);
}

/// A unit of work that waits for its turn to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct WaitingWrite(());

impl WaitingWrite {
    pub(crate) fn begin() -> Self {
        gauge!(WRITES_WAITING).increment(1.0);
        Self(())
    }
}

impl Drop for WaitingWrite {
    fn drop(&mut self) {
        gauge!(WRITES_WAITING).decrement(1.0);
    }
}

/// What is known from the start.
pub(crate) fn set_build(loaded_at: Time) {
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    set_config_reload(true, loaded_at);
    gauge!(WRITES_WAITING).increment(0.0);
    // SQLite has no clock of its own.
    set_clock_difference(TimeDelta::zero());
}

/// `loaded_at`: the configuration in force, which is an older one after a failure.
pub(crate) fn set_config_reload(is_successful: bool, loaded_at: Time) {
    gauge!(CONFIG_RELOAD_SUCCESSFUL).set(f64::from(u8::from(is_successful)));
    gauge!(CONFIG_RELOADED_AT).set(timestamp(loaded_at));
}

/// `None` leaves a gauge as it is.
pub(crate) fn set_last_sweeps(ended_at: Option<Time>, completed_at: Option<Time>) {
    for (name, at) in [(LAST_SWEEP, ended_at), (LAST_COMPLETE_SWEEP, completed_at)] {
        if let Some(at) = at {
            gauge!(name).set(timestamp(at));
        }
    }
}

pub(crate) fn set_sweep_lag(lag: TimeDelta) {
    gauge!(SWEEP_LAG).set(seconds(lag));
}

pub(crate) fn set_sweeps_overdue(overdue: bool) {
    gauge!(SWEEPS_OVERDUE).set(f64::from(u8::from(overdue)));
}

pub(crate) fn set_unreachable_members(members: u64) {
    gauge!(MEMBERS_UNREACHABLE).set(members as f64);
}

pub(crate) fn set_credentials_under_old_keys(credentials: u64) {
    gauge!(CREDENTIALS_UNDER_OLD_KEYS).set(credentials as f64);
}

pub(crate) fn set_instances(live: u32) {
    gauge!(INSTANCES).set(f64::from(live));
}

pub(crate) fn set_clock_difference(difference: TimeDelta) {
    gauge!(CLOCK_DIFFERENCE).set(seconds(difference));
}

fn seconds(duration: TimeDelta) -> f64 {
    duration.num_milliseconds() as f64 / 1000.0
}

fn timestamp(time: Time) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
