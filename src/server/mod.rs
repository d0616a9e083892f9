//! The daemon as a process: spawns the loops, owns the listeners, the schedule and the shutdown.
//!
//! The loops speak to each other through rows only. A wake-up between them saves waiting and nothing else, so a lost
//! one costs latency, never work.

mod clock_steps;
pub mod components;
mod loops;
mod readiness;
mod sweeps;

use crate::base::telemetry;
use crate::server::components::App;
use crate::store::InstanceLock;
use crate::web;
use anyhow::Context;
use loops::{Loops, WakeSignals};
use metrics_exporter_prometheus::PrometheusHandle;
use readiness::Readiness;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

/// How long what is in hand may take when the daemon is asked to end; what takes longer is released, to be taken up at
/// the next start. With the wait for renewals it stays within the minute that the deployments in `deploy/` give.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// For keeping what a renewal brought, after the gateway's answer.
const STORE_MARGIN: Duration = Duration::from_secs(5);

/// A daemon that runs, with the addresses that it listens on.
pub struct Daemon {
    /// Its components.
    pub(crate) app: App,
    /// Where the public pages are.
    pub links_addr: SocketAddr,
    /// Where health and metrics are.
    pub admin_addr: SocketAddr,
    shutdown: CancellationToken,
    loops: Loops,
    scheduler: JobScheduler,
    _lock: InstanceLock,
}

impl Daemon {
    /// Takes over the database, opens the listeners and starts the loops. `metrics` are shown at `/metrics`.
    ///
    /// # Errors
    /// When another daemon works on the database, or an address is taken.
    pub async fn start(app: App, metrics: Option<PrometheusHandle>) -> anyhow::Result<Self> {
        let lock = app.acquire_instance_lock().await?;
        let links = listen("links.listen", app.config.links.listen).await?;
        let admin = listen("admin.listen", app.config.admin.listen).await?;
        let (links_addr, admin_addr) = (links.local_addr()?, admin.local_addr()?);
        let wakes = WakeSignals::default();
        let shutdown = CancellationToken::new();
        let mut loops = Loops::new();
        let readiness = Readiness::new(&app, &wakes);
        loops::start(&mut loops, &app, &wakes, readiness.clone(), &shutdown);
        serve(&mut loops, "links", links, web::public(public_state(&app)), &shutdown);
        let health = web::AdminState {
            store: app.store.clone(),
            sweeps_overdue: Arc::new(move || readiness.sweeps_overdue()),
            metrics,
        };
        serve(&mut loops, "admin", admin, web::admin_router(health), &shutdown);
        let schedule_text = app.config.sweep.schedule.as_str();
        let scheduler = schedule(schedule_text, &wakes).await?;
        tracing::info!(links = %links_addr, admin = %admin_addr, schedule = schedule_text, "running");
        Ok(Self { app, links_addr, admin_addr, shutdown, loops, scheduler, _lock: lock })
    }

    /// Runs until `stop` is called or a loop ends by itself. Then no new work is begun, and what is in hand is finished
    /// or, at the deadline, released.
    ///
    /// # Errors
    /// When a loop ended by itself.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut failed = None;
        tokio::select! {
            () = stop.cancelled() => tracing::info!("asked to end; finishing what is in hand"),
            ended = self.loops.join_next() => failed = Some(unexpected_exit(ended)),
        }
        telemetry::notify_stopping();
        self.shutdown.cancel();
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the scheduler did not shut down");
        }
        let drained = tokio::time::timeout(SHUTDOWN_DEADLINE, async {
            while let Some(ended) = self.loops.join_next().await {
                if !matches!(ended, Ok((_, Ok(())))) {
                    failed.get_or_insert(unexpected_exit(Some(ended)));
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!("not everything in hand was finished in time; the rest is released");
            self.loops.shutdown().await;
            self.app.store.rescue_expired_leases(self.app.clock.now(), true).await?;
        }
        // What the gateway has rotated must be kept, however long its answer takes to come.
        if tokio::time::timeout(self.app.config.gateway.timeout + STORE_MARGIN, self.app.access.drain())
            .await
            .is_err()
        {
            tracing::error!("a renewal did not come to its end");
        }
        self.app.deliverer.transport.close().await;
        if let Err(error) = self.app.request_counter.drain_queue().await {
            tracing::warn!(%error, "cannot count the last link requests");
        }
        self.app.store.close().await;
        failed.map_or(Ok(()), Err)
    }
}

fn unexpected_exit(ended: Option<Result<(&'static str, anyhow::Result<()>), JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok((name, Err(error)))) => error.context(format!("the {name} loop failed")),
        Some(Ok((name, Ok(())))) => anyhow::anyhow!("the {name} loop ended by itself"),
        Some(Err(error)) => anyhow::anyhow!("a loop panicked: {error}"),
        None => anyhow::anyhow!("no loop is running"),
    }
}

async fn listen(key: &'static str, addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| format!("{key}: cannot listen on {addr}"))
}

fn serve(
    loops: &mut Loops,
    name: &'static str,
    listener: TcpListener,
    router: web::Router,
    shutdown: &CancellationToken,
) {
    let shutdown = shutdown.clone();
    loops.spawn(async move {
        (name, web::serve(listener, router, web::ServerLimits::default(), shutdown).await.map_err(Into::into))
    });
}

/// What the public pages are served from.
pub fn public_state(app: &App) -> web::PublicState {
    let config = &app.config;
    web::PublicState {
        links: app.links.clone(),
        store: app.store.clone(),
        clock: app.clock.clone(),
        request_recorder: app.request_recorder.clone(),
        pages: app.pages.clone(),
        prefix: config.links.public_url.path().trim_end_matches('/').to_owned(),
        secure: config.links.public_url.scheme() == "https",
        trusted_proxies: config.links.trusted_proxies,
        requests_per_minute: config.links.requests_per_minute,
    }
}

/// The schedule only ticks: when a sweep runs, and whether, is the sweep loop's to say.
async fn schedule(expression: &str, wakes: &WakeSignals) -> anyhow::Result<JobScheduler> {
    let scheduler = JobScheduler::new().await.context("the scheduler did not start")?;
    let wakes = wakes.clone();
    let job = Job::new(expression, move |_, _| sweeps::tick(&wakes))
        .with_context(|| format!("sweep.schedule: `{expression}` is not a valid cron expression"))?;
    scheduler.add(job).await.context("the scheduler did not take the schedule")?;
    scheduler.start().await.context("the scheduler did not start")?;
    Ok(scheduler)
}
