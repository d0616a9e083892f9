//! A running daemon: from its start, through reloads, to its end.

use super::components::App;
use super::current::Current;
use super::database_file::DatabaseFile;
use super::generation::Generation;
use super::listeners::{LastingHealth, Listeners, listen};
use super::loops;
use super::readiness::Readiness;
use super::reload::{Prepared, Reloads, Trigger};
use super::runner::{Ended, Runner, Tasks};
use super::succession::Succession;
use super::wake_signals::WakeSignals;
use crate::base::telemetry::{self, LoopStates, MetricsPage};
use crate::store::{InstanceCommand, StoreError};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, OptionFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

/// How long running work may take at a shutdown. The rest is released and continues at the next start. With the wait
/// for token refreshes, it stays within the minute that the deployments in `deploy/` allow.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// For storing the refreshed token after the gateway's response.
const STORE_MARGIN: Duration = Duration::from_secs(5);
/// For closing the connections to the mail server and the database.
const CLOSE_MARGIN: Duration = Duration::from_secs(10);

/// A configuration that is being loaded, and why.
type Preparation = BoxFuture<'static, (Trigger, Result<Prepared, Vec<String>>)>;

/// A running daemon.
pub struct Daemon {
    current: Current,
    pub links_addr: SocketAddr,
    pub admin_addr: SocketAddr,
    shutdown: CancellationToken,
    tasks: Tasks,
    states: LoopStates,
    wakes: WakeSignals,
    listeners: Listeners,
    succession: Succession,
    generation: Generation,
    database_file: DatabaseFile,
    reloads: Option<Reloads>,
}

/// Why a daemon ends.
enum End {
    Stopped,
    Failed(anyhow::Error),
    /// The links of further emails would not work, and nothing that is still written can be found.
    DatabaseLost(StoreError),
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
        let generation = Generation::prepare(&app, &wakes, &shutdown).await?;
        let (mut tasks, states) = (Tasks::new(), LoopStates::default());
        let database_file = DatabaseFile::new(app.store.clone(), lock);
        let current = Current::new(app.clone());
        let readiness = Readiness::new(&current, &wakes);
        let mut runner = Runner::new(&mut tasks, &states, &app.clock, &shutdown);
        loops::start_lasting(&mut runner, &current, readiness.clone(), &database_file, metrics.clone());
        let health = LastingHealth {
            sweeps_overdue: Arc::new(move || readiness.sweeps_overdue()),
            loops: states.clone(),
            repeats: Arc::default(),
            metrics,
        };
        let listeners = Listeners::serve(&mut tasks, (links, admin), &app, health, &shutdown);
        let mut daemon = Self {
            current,
            links_addr,
            admin_addr,
            shutdown,
            tasks,
            states,
            wakes,
            listeners,
            succession: Succession::default(),
            generation,
            database_file,
            reloads: None,
        };
        daemon.start_loops(&app, None);
        let schedule = &app.config.sweep.schedule;
        let next_sweeps = schedule.describe_next(app.clock.now());
        tracing::info!(
            event = "running", links = %links_addr, admin = %admin_addr, schedule = schedule.as_str(), next_sweeps,
            "running"
        );
        Ok(daemon)
    }

    /// Makes the daemon load its configuration again when there is a reason.
    #[must_use]
    pub fn reloading(mut self, reloads: Reloads) -> Self {
        let app = self.current.app();
        let mut runner = Runner::new(&mut self.tasks, &self.states, &app.clock, &self.shutdown);
        runner.spawn(loops::ConfigWatchLoop::new(reloads.clone()));
        self.reloads = Some(reloads);
        self
    }

    /// Starts the loops of the generation.
    fn start_loops(&mut self, app: &App, former_policy: Option<String>) {
        self.succession.advance();
        let mut runner = Runner {
            tasks: &mut self.tasks,
            states: &self.states,
            clock: &app.clock,
            shutdown: &self.generation.stop,
            succession: Some(&mut self.succession),
        };
        loops::start(&mut runner, app, &self.wakes, &self.database_file, former_policy);
    }

    /// Runs until `stop` or until a loop ends unexpectedly. Then it starts no new work, and finishes the running work
    /// or, at the deadline, releases it.
    ///
    /// # Errors
    /// A loop ended unexpectedly, the database file was deleted or replaced, or another daemon has taken the lock.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let end = self.wait_for_end(&stop).await;
        let app = self.current.app();
        telemetry::notify_stopping(stop_deadline(app.config.gateway.timeout));
        let failed = match end {
            End::Stopped => None,
            End::Failed(error) => Some(error),
            End::DatabaseLost(error) => {
                self.tasks.shutdown().await;
                match tokio::time::timeout(CLOSE_MARGIN, app.store.rescue_log()).await {
                    Ok(false) => {}
                    Ok(true) => tracing::warn!(
                        event = "database_log_rescued",
                        "moved what the deleted write-ahead log had into the database file"
                    ),
                    Err(_) => tracing::error!(
                        event = "database_log_lost",
                        "the writes of the deleted write-ahead log are lost: the database does not answer"
                    ),
                }
                return Err(error.into());
            }
        };
        self.end(&app, failed).await
    }

    async fn wait_for_end(&mut self, stop: &CancellationToken) -> End {
        let mut preparation: Option<Preparation> = None;
        loop {
            let is_preparing = preparation.is_some();
            let prepared = OptionFuture::from(preparation.as_mut());
            let triggered = OptionFuture::from(self.reloads.as_ref().map(Reloads::triggered));
            tokio::select! {
                () = stop.cancelled() => {
                    tracing::info!(event = "stopping", "finishing what is in hand");
                    return End::Stopped;
                }
                ended = self.tasks.join_next() => match ended {
                    Some(Ok(Ended { is_expected: true, result: Ok(()), .. })) => self.states.forget_ended(),
                    ended => return End::Failed(unexpected_exit(ended)),
                },
                error = self.database_file.wait_until_lost() => return End::DatabaseLost(error),
                Some(trigger) = triggered, if !is_preparing => preparation = self.prepare(trigger),
                Some((trigger, prepared)) = prepared, if is_preparing => {
                    preparation = None;
                    match prepared {
                        Ok(prepared) => self.adopt(prepared, trigger).await,
                        Err(reasons) => self.keep(reasons, trigger),
                    }
                    telemetry::notify_ready();
                }
            }
        }
    }

    fn prepare(&self, trigger: Trigger) -> Option<Preparation> {
        telemetry::notify_reloading();
        let reloads = self.reloads.clone()?;
        // A task of its own: the scheduler must not be interrupted while it starts.
        let prepared =
            tokio::spawn(reloads.prepare(self.current.app(), self.wakes.clone(), self.shutdown.clone()));
        let result = move |prepared: Result<_, JoinError>| {
            (trigger, prepared.unwrap_or_else(|error| Err(vec![format!("cannot load it: {error}")])))
        };
        Some(prepared.map(result).boxed())
    }

    /// Replaces the configuration. What is in hand is finished under the old one.
    async fn adopt(&mut self, prepared: Prepared, trigger: Trigger) {
        if let Some(reloads) = &mut self.reloads {
            reloads.adopted(&prepared);
        }
        let Prepared { app, generation, changes, needs_restart, .. } = prepared;
        let former_policy = self.current.app().policy_fingerprint();
        // A shorter period of the schedule begins now.
        self.wakes.sweep_activity.note();
        self.current.set(app.clone());
        self.listeners.switch_to(&app);
        std::mem::replace(&mut self.generation, generation).end().await;
        self.start_loops(&app, Some(former_policy));
        let schedule = &app.config.sweep.schedule;
        tracing::info!(
            event = "config_reloaded",
            trigger = trigger.as_str(),
            changes = changes.to_string(),
            schedule = schedule.as_str(),
            "the configuration was loaded again"
        );
        if !needs_restart.is_empty() {
            tracing::warn!(
                event = "restart_needed",
                keys = needs_restart.join(", "),
                "these settings have changed and take effect when the daemon is restarted"
            );
        }
        app.config_reloads.succeeded(app.clock.now(), needs_restart);
    }

    /// Keeps the configuration that is in force.
    fn keep(&self, reasons: Vec<String>, trigger: Trigger) {
        let app = self.current.app();
        tracing::error!(
            event = "config_reload_failed",
            trigger = trigger.as_str(),
            error = reasons.join("; "),
            "the configuration cannot be loaded again; the last one stays in force"
        );
        app.config_reloads.failed(app.clock.now(), reasons);
    }

    async fn end(mut self, app: &App, mut failed: Option<anyhow::Error>) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.generation.end().await;
        let drained = tokio::time::timeout(SHUTDOWN_DEADLINE, async {
            while let Some(ended) = self.tasks.join_next().await {
                if !matches!(ended, Ok(Ended { result: Ok(()), .. })) {
                    failed.get_or_insert(unexpected_exit(Some(ended)));
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!(event = "work_released", "shutdown deadline passed: released the running work");
            self.tasks.shutdown().await;
            // Before the leases: a released notice is sent again.
            app.deliverer.finish_recordings().await;
            let release = app.store.release_leases(app.clock.now());
            match tokio::time::timeout(CLOSE_MARGIN, release).await {
                Ok(released) => drop(released?),
                Err(_) => {
                    tracing::warn!(event = "leases_kept", "the database does not answer; leases expire")
                }
            }
        }
        // A rotated refresh token must be stored, however long the gateway's response takes.
        if tokio::time::timeout(app.config.gateway.timeout + STORE_MARGIN, app.tokens.drain()).await.is_err()
        {
            tracing::error!(
                event = "refresh_not_finished",
                "a token refresh did not finish before the shutdown"
            );
        }
        app.deliverer.transport.close().await;
        if let Err(error) = app.request_counter.drain_queue().await {
            tracing::warn!(
                event = "link_requests_not_counted", %error,
                "cannot count the last link requests"
            );
        }
        if !self.database_file.is_in_place() {
            failed.get_or_insert(self.database_file.wait_until_lost().await.into());
        }
        if let Err(error) = app.store.unregister().await {
            tracing::warn!(
                event = "instance_not_unregistered", %error,
                "cannot leave the instances; the others will notice"
            );
        }
        app.store.close().await;
        failed.map_or(Ok(()), Err)
    }
}

/// How long a shutdown may take, so that the service manager waits for it.
fn stop_deadline(gateway_timeout: Duration) -> Duration {
    SHUTDOWN_DEADLINE + gateway_timeout + STORE_MARGIN + CLOSE_MARGIN + telemetry::traces::FLUSH_TIMEOUT
}

fn unexpected_exit(ended: Option<Result<Ended, JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok(Ended { name, result: Err(error), .. })) => error.context(format!("the {name} loop failed")),
        Some(Ok(Ended { name, result: Ok(()), .. })) => anyhow::anyhow!("the {name} loop ended unexpectedly"),
        Some(Err(error)) => anyhow::anyhow!("a loop panicked: {error}"),
        None => anyhow::anyhow!("no loop is running"),
    }
}
