//! The components that a configuration makes, put together. Nothing runs here.

use crate::base::clock::Clock;
use crate::base::config::{AuthMode, Config, PerStatus};
use crate::base::telemetry::metrics;
use crate::credentials::TokenProvider;
use crate::credentials::keyring::Keyring;
use crate::detect::poll::Poller;
use crate::detect::recheck::Rechecker;
use crate::detect::sweep::{Limits, SweepReport, Sweeper};
use crate::gateway::Gateway;
use crate::mail::{Renderer, Transport};
use crate::notify::deliver::{Delivered, Deliverer, Reminders};
use crate::notify::planner::Planner;
use crate::reconnect::links::LinkService;
use crate::reconnect::operator_actions::OperatorActions;
use crate::reconnect::resume::ResumeTokens;
use crate::store::{InstanceLock, Store};
use crate::traffic::{RequestCounter, RequestRecorder};
use crate::web::pages::Pages;
use crate::{detect::decide, notify::plan};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// All that the daemon is made of. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// One report.
    pub sweeper: Sweeper,
    /// Early polls.
    pub rechecker: Rechecker,
    /// Plans.
    pub planner: Planner,
    /// Delivers.
    pub deliverer: Deliverer,
    pub(crate) links: LinkService,
    pub(crate) request_recorder: RequestRecorder,
    /// Counts them.
    pub request_counter: RequestCounter,
    /// Draws the member's pages.
    pub(crate) pages: Arc<Pages>,
    /// Acts for one member.
    pub operator: OperatorActions,
    /// Takes in answers.
    pub poller: Poller,
    /// Asks as a member.
    pub access: TokenProvider,
    /// The gateway.
    pub gateway: Gateway,
    /// The key ring.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Clock,
    /// The configuration it was made of.
    pub config: Arc<Config>,
}

/// The result of one cycle.
#[derive(Clone, Debug)]
pub struct CycleReport {
    /// Of its sweep.
    pub sweep: SweepReport,
    /// Whether mails are left because the mail server could not be used.
    pub(crate) mail_pending: bool,
}

impl CycleReport {
    /// Whether every member gave a clear answer, and no mail is left for want of a mail server.
    pub fn complete(&self) -> bool {
        self.sweep.complete() && !self.mail_pending
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn deltas(durations: &[Duration]) -> Vec<TimeDelta> {
    durations.iter().copied().map(delta).collect()
}

impl App {
    /// Opens what the configuration names and puts the components together. Nothing runs yet.
    ///
    /// # Errors
    /// What cannot be opened, in words that name the setting.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let keyring = Keyring::open(&config.keys.file)?;
        Self::with_keyring(config, clock, keyring).await
    }

    /// Like [`App::open`], with a key ring of the caller's.
    ///
    /// # Errors
    /// Likewise.
    pub(crate) async fn with_keyring(config: Config, clock: Clock, keyring: Keyring) -> anyhow::Result<Self> {
        let keyring = Arc::new(keyring);
        let gateway = Gateway::new(&config.gateway, clock.clone())?;
        let renderer = Arc::new(Renderer::new(&config.notices, &config.email, &config.links)?);
        for warning in renderer.warnings() {
            tracing::warn!(%warning, "check this template");
        }
        let transport = Arc::new(Transport::new(&config.email)?);
        let store = Store::open(&config.database.url).await?;
        let access = TokenProvider::new(
            store.clone(),
            gateway.clone(),
            keyring.clone(),
            clock.clone(),
            config.gateway.auth.mode,
        );
        let sweep = &config.sweep;
        let recheck = deltas(sweep.recheck.as_slice());
        let recheck_after = delta(sweep.confirm_after.max(sweep.recheck.last()));
        let poller = Poller::new(
            store.clone(),
            access.clone(),
            gateway.clone(),
            clock.clone(),
            decide::Policy {
                confirm_sweeps: sweep.confirm_sweeps,
                confirm_after: delta(sweep.confirm_after),
                flap_window: delta(sweep.flap_window),
                recheck_after,
            },
        );
        let notices = &config.notices;
        let per_status = |status: &PerStatus| plan::StatusPolicy {
            enabled: status.enabled,
            reminders: deltas(&status.reminders),
        };
        let policy = plan::Policy {
            expired: per_status(&notices.expired),
            disconnected: per_status(&notices.disconnected),
            min_gap: delta(notices.min_gap),
            digest_window: delta(notices.digest_window),
            announces_recoveries: notices.recovered.enabled,
            has_app_url: notices.app_url.is_some(),
        };
        let (request_recorder, request_counter) = RequestCounter::new(store.clone(), clock.clone());
        Ok(Self {
            request_recorder,
            request_counter,
            sweeper: Sweeper::new(
                store.clone(),
                poller.clone(),
                access.clone(),
                gateway.clone(),
                clock.clone(),
                Limits {
                    at_once: config.gateway.max_in_flight,
                    needs_token: config.gateway.auth.mode == AuthMode::RefreshToken,
                    max_unclear: config.telemetry.heartbeat_max_unclear,
                },
            ),
            links: LinkService {
                store: store.clone(),
                access: access.interactive(),
                gateway: gateway.interactive(),
                clock: clock.clone(),
                resume_tokens: ResumeTokens::new(keyring.clone()),
                max_redemptions: config.links.max_redemptions,
                first_recheck: Some(delta(sweep.recheck.first())),
            },
            pages: Arc::new(Pages::new(
                renderer.operator(),
                config.notices.locale.as_str(),
                config.notices.app_url.as_ref(),
            )?),
            rechecker: Rechecker::new(store.clone(), poller.clone(), clock.clone(), recheck, recheck_after),
            planner: Planner::new(store.clone(), clock.clone(), policy),
            deliverer: Deliverer {
                store: store.clone(),
                poller: poller.clone(),
                tokens: access.clone(),
                gateway: gateway.clone(),
                clock: clock.clone(),
                renderer,
                transport,
                link_ttl: config.links.ttl,
                reminders: Reminders {
                    expired: notices.expired.reminders.len() as u32,
                    disconnected: notices.disconnected.reminders.len() as u32,
                },
            },
            operator: OperatorActions {
                store: store.clone(),
                poller: poller.clone(),
                access: access.clone(),
                gateway: gateway.clone(),
                clock: clock.clone(),
                link_ttl: delta(config.links.ttl),
            },
            store,
            poller,
            access,
            gateway,
            keyring,
            clock,
            config: Arc::new(config),
        })
    }

    /// Makes this process the one that works on the database, and takes up what a former one left unfinished.
    ///
    /// # Errors
    /// When another one works on it.
    pub async fn acquire_instance_lock(&self) -> anyhow::Result<InstanceLock> {
        let lock = self.store.lock()?;
        let cut_off = self.store.release_orphaned_leases(&lock).await?;
        if cut_off > 0 {
            tracing::warn!(members = cut_off, "tokens were being renewed when the last run was cut off");
        }
        let now = self.clock.now();
        let rescued = self.store.rescue_expired_leases(now, true).await?;
        if rescued > 0 {
            tracing::warn!(notices = rescued, "rescued interrupted deliveries");
        }
        // The configuration may have changed.
        let lapses = self.store.replan_misconfigured(now).await?;
        if lapses > 0 {
            tracing::info!(lapses, "planning notices again that a misconfiguration abandoned");
        }
        self.store.mark_all_for_planning(now).await?;
        self.pull_back_from_future().await?;
        let (ended, complete) = self.store.last_sweep_ends().await?;
        metrics::set_last_sweeps(ended, complete);
        Ok(lock)
    }

    /// Brings back what waits for a time that a wrong clock has written.
    ///
    /// # Errors
    /// The store's.
    pub async fn pull_back_from_future(&self) -> anyhow::Result<()> {
        let sweep = &self.config.sweep;
        let longest = delta(sweep.confirm_after.max(sweep.recheck.last())).max(TimeDelta::hours(1));
        let changed = self.store.pull_back_from_future(self.clock.now(), longest).await?;
        if changed > 0 {
            tracing::info!(rows = changed, "planned anew what waited for the future");
        }
        Ok(())
    }

    /// One report: sweep, early polls, plan, and deliver what is due. Early polls are made when
    /// they are due already.
    ///
    /// # Errors
    /// The store's.
    pub async fn run_once(&self, stop: &CancellationToken) -> anyhow::Result<CycleReport> {
        let report = self.cycle(stop).await;
        self.deliverer.transport.close().await;
        self.access.drain().await;
        report
    }

    async fn cycle(&self, stop: &CancellationToken) -> anyhow::Result<CycleReport> {
        let mut report = CycleReport { sweep: self.sweeper.sweep(stop).await?, mail_pending: false };
        while !stop.is_cancelled() && self.rechecker.recheck_one().await? {}
        while !stop.is_cancelled() && self.planner.plan_one().await? {}
        while !stop.is_cancelled() {
            match self.deliverer.deliver_one().await? {
                Delivered::One(_) => {}
                Delivered::Nothing => break,
                Delivered::QueuePaused(_) => {
                    tracing::error!("cannot use the mail server; email waits for the next pass");
                    report.mail_pending = true;
                    break;
                }
            }
        }
        Ok(report)
    }
}
