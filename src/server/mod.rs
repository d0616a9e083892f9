//! The process: composition, loops, listeners, schedule, and shutdown.

pub(crate) mod channel;
pub mod components;
mod database_file;
mod instance;
mod key_ring_watch;
mod keys;
mod loops;
pub(crate) mod policies;
mod readiness;
mod recorded_policy;
pub mod replay;
mod runner;
mod wake_signals;

use crate::base::telemetry::{self, LoopStates, MetricsPage};
use crate::store::InstanceCommand;
use crate::web;
use anyhow::Context;
use components::App;
use database_file::DatabaseFile;
use readiness::Readiness;
use runner::{Runner, Tasks};
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;
use wake_signals::WakeSignals;

/// How long running work may take at a shutdown. The rest is released and continues at the next start. With the wait
/// for token refreshes, it stays within the minute that the deployments in `deploy/` allow.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// For storing the refreshed token after the gateway's response.
const STORE_MARGIN: Duration = Duration::from_secs(5);
/// For closing the connections to the mail server and the database.
const CLOSE_MARGIN: Duration = Duration::from_secs(10);

/// A running daemon.
pub struct Daemon {
    pub(crate) app: App,
    pub links_addr: SocketAddr,
    pub admin_addr: SocketAddr,
    shutdown: CancellationToken,
    tasks: Tasks,
    scheduler: JobScheduler,
    database_file: DatabaseFile,
}

impl Daemon {
    /// Acquires the instance lock, opens the listeners, and starts the loops. `/metrics` serves `metrics`.
    ///
    /// # Errors
    /// Another daemon uses the database, or an address is in use.
    pub async fn start(app: App, metrics: Option<MetricsPage>) -> anyhow::Result<Self> {
        let lock = app.acquire_instance_lock(InstanceCommand::Run).await?;
        let links = listen("links.listen", app.config.links.listen).await?;
        let admin = listen("admin.listen", app.config.admin.listen).await?;
        let (links_addr, admin_addr) = (links.local_addr()?, admin.local_addr()?);
        let wakes = WakeSignals::new(&app);
        let shutdown = CancellationToken::new();
        let (mut tasks, states) = (Tasks::new(), LoopStates::default());
        let readiness = Readiness::new(&app, &wakes);
        let mut runner =
            Runner { tasks: &mut tasks, states: &states, clock: &app.clock, shutdown: &shutdown };
        let database_file = DatabaseFile::new(app.store.clone(), lock);
        loops::start(&mut runner, &app, &wakes, readiness.clone(), &database_file, metrics.clone());
        let limits = if app.config.links.trusted_proxies == 0 {
            web::ServerLimits::without_proxy()
        } else {
            web::ServerLimits::default()
        };
        serve(&mut tasks, "links", links, web::public(public_state(&app)), limits, &shutdown);
        let admin_state = admin_state(&app);
        let health = web::HealthState {
            store: app.store.clone(),
            instances: app.instances.clone(),
            sweeps_overdue: Arc::new(move || readiness.sweeps_overdue()),
            loops: states,
            metrics,
        };
        let router = web::admin_router(health, admin_state);
        serve(&mut tasks, "admin", admin, router, web::ServerLimits::with_imports(), &shutdown);
        let schedule_text = app.config.sweep.schedule.as_str();
        let scheduler = schedule(&app, &wakes).await?;
        let next_sweeps = app.config.sweep.schedule.describe_next(app.clock.now());
        tracing::info!(
            event = "running", links = %links_addr, admin = %admin_addr, schedule = schedule_text, next_sweeps, "running"
        );
        Ok(Self { app, links_addr, admin_addr, shutdown, tasks, scheduler, database_file })
    }

    /// Runs until `stop` or until a loop ends unexpectedly. Then it starts no new work, and finishes the running work
    /// or, at the deadline, releases it.
    ///
    /// # Errors
    /// A loop ended unexpectedly, the database file was deleted or replaced, or another daemon has taken the lock.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut failed = None;
        tokio::select! {
            () = stop.cancelled() => tracing::info!(event = "stopping", "finishing what is in hand"),
            ended = self.tasks.join_next() => failed = Some(unexpected_exit(ended)),
            error = self.database_file.wait_until_lost() => {
                telemetry::notify_stopping(stop_deadline(self.app.config.gateway.timeout));
                // The links of further emails would not work, and nothing that is still written can be found.
                self.tasks.shutdown().await;
                return Err(error.into());
            }
        }
        telemetry::notify_stopping(stop_deadline(self.app.config.gateway.timeout));
        self.shutdown.cancel();
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(event = "scheduler_not_stopped", %error, "the scheduler did not shut down");
        }
        let drained = tokio::time::timeout(SHUTDOWN_DEADLINE, async {
            while let Some(ended) = self.tasks.join_next().await {
                if !matches!(ended, Ok((_, Ok(())))) {
                    failed.get_or_insert(unexpected_exit(Some(ended)));
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!(event = "work_released", "shutdown deadline passed: released the running work");
            self.tasks.shutdown().await;
            // Before the leases: a released notice is sent again.
            self.app.deliverer.finish_recordings().await;
            let release = self.app.store.release_leases(self.app.clock.now());
            match tokio::time::timeout(CLOSE_MARGIN, release).await {
                Ok(released) => drop(released?),
                Err(_) => {
                    tracing::warn!(event = "leases_kept", "the database does not answer; leases expire")
                }
            }
        }
        // A rotated refresh token must be stored, however long the gateway's response takes.
        if tokio::time::timeout(self.app.config.gateway.timeout + STORE_MARGIN, self.app.tokens.drain())
            .await
            .is_err()
        {
            tracing::error!(
                event = "refresh_not_finished",
                "a token refresh did not finish before the shutdown"
            );
        }
        self.app.deliverer.transport.close().await;
        if let Err(error) = self.app.request_counter.drain_queue().await {
            tracing::warn!(
                event = "link_requests_not_counted", %error,
                "cannot count the last link requests"
            );
        }
        if !self.database_file.is_in_place() {
            failed.get_or_insert(self.database_file.wait_until_lost().await.into());
        }
        if let Err(error) = self.app.store.unregister().await {
            tracing::warn!(
                event = "instance_not_unregistered", %error,
                "cannot leave the instances; the others will notice"
            );
        }
        self.app.store.close().await;
        failed.map_or(Ok(()), Err)
    }
}

/// How long a shutdown may take, so that the service manager waits for it.
fn stop_deadline(gateway_timeout: Duration) -> Duration {
    SHUTDOWN_DEADLINE + gateway_timeout + STORE_MARGIN + CLOSE_MARGIN + telemetry::traces::FLUSH_TIMEOUT
}

fn unexpected_exit(ended: Option<Result<(&'static str, anyhow::Result<()>), JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok((name, Err(error)))) => error.context(format!("the {name} loop failed")),
        Some(Ok((name, Ok(())))) => anyhow::anyhow!("the {name} loop ended unexpectedly"),
        Some(Err(error)) => anyhow::anyhow!("a loop panicked: {error}"),
        None => anyhow::anyhow!("no loop is running"),
    }
}

async fn listen(key: &'static str, addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| format!("{key}: cannot listen on {addr}"))
}

fn serve(
    tasks: &mut Tasks,
    name: &'static str,
    listener: TcpListener,
    router: web::Router,
    limits: web::ServerLimits,
    shutdown: &CancellationToken,
) {
    let shutdown = shutdown.clone();
    tasks.spawn(
        async move { (name, web::serve(listener, router, limits, shutdown).await.map_err(Into::into)) },
    );
}

pub fn public_state(app: &App) -> web::PublicState {
    let config = &app.config;
    web::PublicState::new(web::PublicServices {
        links: app.links.clone(),
        store: app.store.interactive(),
        clock: app.clock.clone(),
        request_recorder: app.request_recorder.clone(),
        pages: app.pages.clone(),
        prefix: config.links.public_url.path().trim_end_matches('/').to_owned(),
        secure: config.links.public_url.scheme() == "https",
        trusted_proxies: config.links.trusted_proxies,
        requests_per_minute: config.links.requests_per_minute,
        hooks: hook_state(app),
    })
}

/// The admin listener's pages, without loops and metrics, for tests.
pub fn admin_router(app: &App) -> web::Router {
    let health = web::HealthState {
        store: app.store.clone(),
        instances: app.instances.clone(),
        sweeps_overdue: Arc::new(|| false),
        loops: LoopStates::default(),
        metrics: None,
    };
    web::admin_router(health, admin_state(app))
}

fn admin_state(app: &App) -> web::AdminState {
    let config = &app.config;
    web::AdminState::new(web::AdminServices {
        tokens: web::AccessTokens::new(&config.admin),
        hosts: config.admin.hosts.clone(),
        wrong_tokens: web::WrongPasswords::new(&app.clock),
        store: app.store.interactive(),
        clock: app.clock.clone(),
        keyring: app.keyring.clone(),
        explainer: app.explainer(),
        imports: tokio::sync::Mutex::new(()),
        fleet: app.fleet.clone(),
        drip_per_minute: config.storm.drip_per_minute,
    })
}

/// `None`: the hooks have no password.
fn hook_state(app: &App) -> Option<web::HookState> {
    let (bounces, links) = (&app.config.bounces, &app.config.links);
    let is_enabled = !bounces.password.expose_secret().is_empty();
    is_enabled.then(|| {
        web::HookState::new(web::HookServices {
            password: bounces.password.clone(),
            ses_topics: bounces.ses_topics.clone(),
            store: app.store.interactive(),
            clock: app.clock.clone(),
            trusted_proxies: links.trusted_proxies,
        })
    })
}

/// The scheduler only wakes the sweep loop, which decides whether a sweep is due.
async fn schedule(app: &App, wakes: &WakeSignals) -> anyhow::Result<JobScheduler> {
    let scheduler = JobScheduler::new().await.context("the scheduler did not start")?;
    let expression = app.config.sweep.schedule.as_str();
    let (wakes, clock, schedule) = (wakes.clone(), app.clock.clone(), app.config.sweep.schedule.clone());
    let job = Job::new(expression, move |_, _| wakes.tick(schedule.last_due(clock.now())))
        .with_context(|| format!("sweep.schedule: `{expression}` is not a valid cron expression"))?;
    scheduler.add(job).await.context("the scheduler rejected the schedule")?;
    scheduler.start().await.context("the scheduler did not start")?;
    Ok(scheduler)
}
