//! The daemon's loops. Each step does one unit of work.

mod clock;
mod clock_steps;
mod database_file;
mod deliver;
mod events;
mod fleet_metrics;
mod heartbeat;
mod key_ring;
mod leases;
mod link_requests;
mod path_watch;
mod plan;
mod purge;
mod recheck;
mod service_manager;
mod sweep;

use super::components::App;
use super::database_file::DatabaseFile;
use super::readiness::Readiness;
use super::runner::Runner;
use super::wake_signals::WakeSignals;
use crate::base::telemetry::{self, MetricsPage};

pub(super) fn start(
    runner: &mut Runner<'_>,
    app: &App,
    wakes: &WakeSignals,
    readiness: Readiness,
    file: &DatabaseFile,
    metrics: Option<MetricsPage>,
) {
    runner.spawn(database_file::DatabaseFileLoop::new(file.clone()));
    runner.spawn(sweep::SweepLoop::new(app, wakes, file.clone(), runner.shutdown));
    for _ in 0..app.rechecks_at_once() {
        runner.spawn(recheck::RecheckLoop::new(app, wakes));
    }
    runner.spawn(plan::PlanLoop::new(app, wakes));
    runner.spawn(deliver::DeliverLoop::new(app, wakes));
    if let Some(events) = events::EventLoop::new(app) {
        runner.spawn(events);
    }
    runner.spawn(heartbeat::HeartbeatLoop::new(app));
    runner.spawn(key_ring::KeyRingLoop::new(app));
    runner.spawn(leases::LeaseLoop::new(app));
    if telemetry::has_service_manager() {
        let loops = runner.states.clone();
        runner.spawn(service_manager::ServiceManagerLoop::new(app, readiness.clone(), loops));
    }
    runner.spawn(clock::ClockLoop::new(app, readiness));
    runner.spawn(link_requests::LinkRequestLoop::new(app));
    runner.spawn(path_watch::PathWatchLoop::new(app));
    runner.spawn(purge::PurgeLoop::new(app));
    if let Some(page) = metrics {
        runner.spawn(fleet_metrics::FleetMetricsLoop::new(app, page));
    }
}
