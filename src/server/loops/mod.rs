//! The daemon's loops. Each step does one unit of work.

mod clock;
mod clock_steps;
mod config_watch;
mod database_file;
mod deliver;
mod events;
mod fleet_metrics;
mod heartbeat;
mod key_ring;
mod leases;
mod link_requests;
mod page_check;
mod path_watch;
mod plan;
mod purge;
mod recheck;
mod service_manager;
mod sweep;

pub(super) use config_watch::ConfigWatchLoop;

use super::components::App;
use super::current::Current;
use super::database_file::DatabaseFile;
use super::readiness::Readiness;
use super::runner::Runner;
use super::wake_signals::WakeSignals;
use crate::base::telemetry::{self, MetricsPage};

/// Starts the loops that outlive a configuration. Those that depend on one ask `current` at each step.
pub(super) fn start_lasting(
    runner: &mut Runner<'_>,
    current: &Current,
    readiness: Readiness,
    file: &DatabaseFile,
    metrics: Option<MetricsPage>,
) {
    let app = current.app();
    runner.spawn(database_file::DatabaseFileLoop::new(file.clone()));
    if !app.store.is_shared() {
        runner.spawn(page_check::PageCheckLoop::new(&app, runner.shutdown));
    }
    runner.spawn(heartbeat::HeartbeatLoop::new(&app));
    runner.spawn(key_ring::KeyRingLoop::new(&app));
    runner.spawn(leases::LeaseLoop::new(current));
    if telemetry::has_service_manager() {
        let loops = runner.states.clone();
        runner.spawn(service_manager::ServiceManagerLoop::new(current, readiness.clone(), loops));
    }
    runner.spawn(clock::ClockLoop::new(current, readiness));
    runner.spawn(link_requests::LinkRequestLoop::new(&app));
    runner.spawn(path_watch::PathWatchLoop::new(&app));
    if let Some(page) = metrics {
        runner.spawn(fleet_metrics::FleetMetricsLoop::new(current, page));
    }
}

/// Starts the loops that work by one configuration. `former_policy`: what the loops before them planned by.
pub(super) fn start(
    runner: &mut Runner<'_>,
    app: &App,
    wakes: &WakeSignals,
    file: &DatabaseFile,
    former_policy: Option<String>,
) {
    runner.spawn(sweep::SweepLoop::new(app, wakes, file.clone(), runner.shutdown));
    for _ in 0..app.rechecks_at_once() {
        runner.spawn(recheck::RecheckLoop::new(app, wakes));
    }
    runner.spawn(plan::PlanLoop::new(app, wakes, former_policy));
    runner.spawn(deliver::DeliverLoop::new(app, wakes));
    if let Some(events) = events::EventLoop::new(app) {
        runner.spawn(events);
    }
    runner.spawn(purge::PurgeLoop::new(app));
}
