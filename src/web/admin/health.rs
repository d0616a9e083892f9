//! Health and metrics for the operator's monitoring. They need no token.

use crate::base::instances::{Instances, Obstacle};
use crate::base::telemetry::{LoopState, LoopStates, MetricsPage, Repeats};
use crate::domain::Time;
use crate::store::{Store, StoreError};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use chrono::SecondsFormat;
use std::borrow::Cow;
use std::sync::Arc;

/// Without these loops, no connection is watched, or no email goes out.
const ESSENTIAL: [&str; 5] = ["deliver", "leases", "plan", "recheck", "sweep"];
/// After this many failed steps in a row, more than a short disturbance keeps a loop from its work.
const FAILURES: u32 = 3;

#[derive(Clone)]
pub(crate) struct HealthState {
    pub(crate) store: Store,
    pub(crate) instances: Instances,
    /// Returns whether no sweep has started, or made progress, for several periods of the schedule.
    pub(crate) sweeps_overdue: Arc<dyn Fn() -> bool + Send + Sync>,
    pub(crate) loops: LoopStates,
    /// Of the database, as the probes find it.
    pub(crate) repeats: Arc<Repeats>,
    /// `None` leaves `/metrics` empty.
    pub(crate) metrics: Option<MetricsPage>,
}

pub(super) fn router(state: HealthState) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(check_readiness))
        .route("/metrics", get(render_metrics))
        .with_state(state)
}

/// The body of a 503 starts with a reason code. Both bodies tell the number of instances, and list the loops.
async fn check_readiness(State(state): State<HealthState>) -> Response {
    let instances = format!("instances={}\n", state.instances.live());
    let loops = instances + &loop_lines(&state.loops);
    match obstacle(&state).await {
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n{loops}")).into_response(),
        None => format!("ready\n{loops}").into_response(),
    }
}

async fn obstacle(state: &HealthState) -> Option<Cow<'static, str>> {
    let database = database_obstacle(state).await;
    if database.is_none() {
        state.repeats.succeeded();
    }
    database.or_else(|| other_obstacle(state).map(Cow::Borrowed))
}

async fn database_obstacle(state: &HealthState) -> Option<Cow<'static, str>> {
    if state.store.verify_file().is_err() {
        return Some("database_file_replaced: the database file was deleted or replaced".into());
    }
    if let Err(error) = state.store.ping().await {
        if let Some(failures) = state.repeats.failed(error.code()) {
            tracing::error!(event = "database_unavailable", %error, failures, "not ready");
        }
        return Some("database_unavailable: the database does not respond".into());
    }
    if let Err(error) = state.store.probe_write().await {
        let reason = error.code();
        if let Some(failures) = state.repeats.failed(reason) {
            tracing::error!(event = "database_not_writable", %error, reason, failures, "not ready");
        }
        return Some(match error {
            StoreError::Damaged(_) => "database_damaged: the database is damaged; restore a backup".into(),
            _ => format!("database_not_writable: the database cannot be written ({reason})").into(),
        });
    }
    let (name, reason) = state.loops.failing(&ESSENTIAL, FAILURES)?;
    let is_the_databases = reason.starts_with("database_");
    is_the_databases.then(|| format!("loop_failing: loop {name} fails again and again ({reason})").into())
}

fn other_obstacle(state: &HealthState) -> Option<&'static str> {
    if let Err(obstacle) = state.instances.may_send() {
        return Some(match obstacle {
            Obstacle::PresumedDead => {
                "instance_presumed_dead: no heartbeat has reached the database for a while; no email is sent"
            }
            Obstacle::ClocksDiffer => {
                "clocks_differ: the database's clock differs by minutes from this machine's; no email is sent"
            }
        });
    }
    (state.sweeps_overdue)()
        .then_some("sweeps_overdue: no sweep has started for several periods of sweep.schedule")
}

/// One line per loop: its name, its start, the end and result of its last step, and its last failure.
fn loop_lines(loops: &LoopStates) -> String {
    let line = |state: LoopState| {
        let (at, result) =
            state.last_step.map_or((None, "running"), |(at, result)| (Some(at), result.as_str()));
        let at = at.map_or_else(|| "-".to_owned(), rfc3339);
        let failure = state
            .last_failure
            .map(|(at, reason)| format!(" last_failure_at={} last_failure={reason}", rfc3339(at)));
        format!(
            "loop={} started_at={} last_step_at={at} last_result={result}{}\n",
            state.name,
            rfc3339(state.started_at),
            failure.unwrap_or_default()
        )
    };
    loops.all().into_iter().map(line).collect()
}

fn rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn render_metrics(State(state): State<HealthState>) -> Response {
    let text = state.metrics.map(|metrics| metrics.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
