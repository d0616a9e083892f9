//! Composition: a configuration becomes components. Nothing runs here.

use super::channel::{for_channel, max_deliveries};
use super::keys;
use super::policies::{delta, deltas, planning_policy, storm_policy};
use super::recorded_policy::recorded_policy;
use crate::base::clock::Clock;
use crate::base::config::{AuthMode, Channel, Config, is_local_url};
use crate::base::in_progress::InProgress;
use crate::base::instances::Instances;
use crate::base::telemetry::metrics;
use crate::credentials::TokenProvider;
use crate::credentials::keyring::Keyring;
use crate::detect::brake::StormBrake;
use crate::detect::poll::Poller;
use crate::detect::recheck::Rechecker;
use crate::detect::sweep::{Limits, SweepReport, Sweeper, UNREACHABLE_AFTER};
use crate::explain::{Explainer, FleetReports};
use crate::gateway::Gateway;
use crate::mail::{Renderer, Transport};
use crate::notify::deliver::{Deliverer, DomainShares, MailSessions, Pipeline, QueueGate};
use crate::notify::events::{DueLinks, EventCourier};
use crate::notify::planner::Planner;
use crate::reconnect::confirmation::ConfirmationTokens;
use crate::reconnect::form_keys::FormKeys;
use crate::reconnect::links::LinkService;
use crate::reconnect::operator_actions::OperatorActions;
use crate::reconnect::press_limits::PressLimits;
use crate::reconnect::resume::ResumeTokens;
use crate::store::{Store, StoreError};
use crate::traffic::{RequestCounter, RequestRecorder};
use crate::web::pages::Pages;
use crate::webhook::WebhookClient;
use crate::{detect::decide, notify::plan};
use chrono::TimeDelta;
use futures_util::future::try_join_all;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const MAX_RECHECKS_AT_ONCE: usize = 32;

/// The components of the daemon. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub sweeper: Sweeper,
    pub rechecker: Rechecker,
    pub planner: Planner,
    pub deliverer: Deliverer,
    pub(crate) links: LinkService,
    pub(crate) request_recorder: RequestRecorder,
    pub request_counter: RequestCounter,
    pub(crate) pages: Arc<Pages>,
    pub operator: OperatorActions,
    pub fleet: FleetReports,
    /// `None` without a receiver of events.
    pub(crate) webhook: Option<WebhookClient>,
    pub poller: Poller,
    pub tokens: TokenProvider,
    pub gateway: Gateway,
    pub keyring: Arc<Keyring>,
    pub instances: Instances,
    pub clock: Clock,
    pub config: Arc<Config>,
}

/// The result of `once`.
#[derive(Clone, Debug)]
pub struct CycleReport {
    pub sweep: SweepReport,
    /// Whether email waits because the mail server cannot be used.
    pub(crate) mail_pending: bool,
}

impl CycleReport {
    /// Whether the sweep was complete and no email waits for the mail server.
    pub fn complete(&self) -> bool {
        self.sweep.complete() && !self.mail_pending
    }
}

impl App {
    /// Opens the key ring and the database, which it creates if needed, and builds the components.
    ///
    /// # Errors
    /// The error names the setting.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let keyring = Keyring::open(&config.keys.file)?;
        Self::with_keyring(config, clock, keyring).await
    }

    /// Like [`App::open`], but never creates a database.
    ///
    /// # Errors
    /// The error names the setting.
    pub(crate) async fn open_existing(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let keyring = Keyring::open(&config.keys.file)?;
        Self::build(config, clock, keyring, async |config| Store::open_existing(&config.database.url()).await)
            .await
    }

    /// Like [`App::open`], with a given key ring.
    ///
    /// # Errors
    /// The error names the setting.
    pub(crate) async fn with_keyring(config: Config, clock: Clock, keyring: Keyring) -> anyhow::Result<Self> {
        Self::build(config, clock, keyring, async |config| Store::open(&config.database.url()).await).await
    }

    /// Why members get emails, or do not.
    pub fn explainer(&self) -> Explainer {
        let policy = Arc::new(planning_policy(&self.config));
        Explainer::new(self.store.clone(), policy, self.clock.clone())
    }

    /// Delivers events. `None` without a receiver.
    pub fn event_courier(&self) -> Option<EventCourier> {
        let client = self.webhook.clone()?;
        let due = DueLinks { renderer: self.deliverer.renderer.clone(), ttl: delta(self.config.links.ttl) };
        Some(EventCourier::new(self.store.clone(), client, self.clock.clone(), due))
    }

    /// Opens the database last, so that an error in the configuration creates none.
    async fn build(
        config: Config,
        clock: Clock,
        keyring: Keyring,
        open_store: impl AsyncFnOnce(&Config) -> Result<Store, StoreError>,
    ) -> anyhow::Result<Self> {
        let keyring = Arc::new(keyring);
        let instances = Instances::new(clock.clone());
        let gateway = Gateway::new(&config.gateway, clock.clone(), &instances)?
            .allowing_local_sign_in(is_local_url(&config.links.public_url));
        let renderer =
            Arc::new(Renderer::new(&config.brand(), &config.notices, &config.email, &config.links)?);
        for warning in renderer.warnings() {
            tracing::warn!(event = "template_warning", %warning, "check this template");
        }
        let pages = Pages::new(&config.brand(), &config.notices, config.links.ttl)?;
        for warning in pages.warnings() {
            tracing::warn!(event = "template_warning", %warning, "check this template");
        }
        let transport = Arc::new(Transport::new(&config.email, &instances)?);
        let webhook = WebhookClient::new(&config.webhook, &clock)?;
        let store = for_channel(&open_store(&config).await?, &config);
        store.verify_takes_work().await?;
        let needs_token = config.gateway.auth.mode == AuthMode::RefreshToken;
        keys::verify(&store, &keyring, needs_token, clock.now()).await?;
        let tokens = TokenProvider::new(
            store.clone(),
            gateway.clone(),
            keyring.clone(),
            clock.clone(),
            config.gateway.auth.mode,
            config.gateway.max_renewals,
        );
        let sweep = &config.sweep;
        let recheck = deltas(sweep.recheck.as_slice());
        let recheck_after = delta(sweep.confirm_after.max(sweep.recheck.last()));
        let brake = StormBrake::new(store.clone(), storm_policy(&config.storm));
        let poller = Poller::new(
            store.clone(),
            tokens.clone(),
            gateway.clone(),
            clock.clone(),
            brake.clone(),
            decide::Policy {
                confirm_sweeps: sweep.confirm_sweeps,
                confirm_after: delta(sweep.confirm_after),
                flap_window: delta(sweep.flap_window),
                recheck_after,
            },
        );
        let policy = Arc::new(planning_policy(&config));
        let max_under_way = max_deliveries(&config.email);
        let (request_recorder, request_counter) = RequestCounter::new(store.clone(), clock.clone());
        Ok(Self {
            request_recorder,
            request_counter,
            sweeper: Sweeper::new(
                store.clone(),
                poller.clone(),
                tokens.clone(),
                gateway.clone(),
                clock.clone(),
                brake,
                Limits {
                    at_once: gateway.max_background_calls(),
                    needs_token,
                    max_unclear: config.telemetry.heartbeat_max_unclear,
                },
            ),
            links: LinkService {
                store: store.interactive(),
                tokens: tokens.interactive(),
                gateway: gateway.interactive(),
                clock: clock.clone(),
                resume_tokens: ResumeTokens::new(keyring.clone()),
                form_keys: FormKeys::new(keyring.clone()),
                confirmation_tokens: ConfirmationTokens::new(keyring.clone()),
                press_limits: PressLimits::new(clock.clone()),
                policy: policy.clone(),
                max_redemptions: config.links.max_redemptions,
                first_recheck: Some(delta(sweep.recheck.first())),
            },
            pages: Arc::new(pages),
            rechecker: Rechecker::new(store.clone(), poller.clone(), clock.clone(), recheck, recheck_after),
            planner: Planner::new(store.clone(), clock.clone(), plan::Policy::clone(&policy)),
            deliverer: Deliverer {
                store: store.clone(),
                poller: poller.clone(),
                tokens: tokens.clone(),
                gateway: gateway.clone(),
                clock: clock.clone(),
                renderer,
                transport,
                receiver: webhook.clone().filter(|_| config.notices.channel == Channel::Webhook),
                instances: instances.clone(),
                link_ttl: config.links.ttl,
                policy,
                gate: QueueGate::default(),
                wake: Arc::default(),
                shares: DomainShares::new(max_under_way),
                sessions: MailSessions::new(config.email.connections),
                max_under_way,
                in_progress: InProgress::default(),
                recordings: TaskTracker::new(),
            },
            operator: OperatorActions {
                store: store.clone(),
                poller: poller.clone(),
                tokens: tokens.clone(),
                gateway: gateway.clone(),
                clock: clock.clone(),
                link_ttl: delta(config.links.ttl),
            },
            fleet: FleetReports::new(
                store.clone(),
                clock.clone(),
                keyring.clone(),
                needs_token,
                UNREACHABLE_AFTER,
            ),
            webhook,
            store,
            poller,
            tokens,
            gateway,
            keyring,
            instances,
            clock,
            config: Arc::new(config),
        })
    }

    /// Continues the work that earlier runs left unfinished.
    pub(super) async fn continue_unfinished_work(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        self.finish_interrupted_import().await?;
        // The configuration may have changed.
        let lapses = self.store.replan_misconfigured(now).await?;
        if lapses > 0 {
            tracing::info!(
                event = "notices_replanned",
                lapses,
                "planning notices again that a misconfiguration abandoned"
            );
        }
        let mut policy = self.deliverer.policy.fingerprint();
        if self.config.notices.channel == Channel::Webhook {
            policy.push_str(" for each member");
        }
        self.store.plan_under(&policy, now).await?;
        let recorded = recorded_policy(&self.deliverer.policy, &storm_policy(&self.config.storm));
        self.store.record_policy(&recorded.to_string(), now).await?;
        let was_ahead = self.store.has_rows_from_future(now).await?;
        self.pull_back(was_ahead).await?;
        let (ended, complete) = self.store.last_sweep_ends().await?;
        metrics::set_last_sweeps(ended, complete);
        Ok(())
    }

    /// # Errors
    /// Only errors of the store.
    pub(super) async fn finish_interrupted_import(&self) -> Result<(), StoreError> {
        let members = self.store.finish_interrupted_import(self.clock.now()).await?;
        if members > 0 {
            tracing::warn!(event = "import_finished", members, "finished an interrupted import");
        }
        Ok(())
    }

    /// Reschedules the rows that a wrong clock scheduled too far in the future.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn pull_back_from_future(&self) -> anyhow::Result<()> {
        self.pull_back(true).await
    }

    /// `plans`: also evaluate all open lapses again.
    async fn pull_back(&self, plans: bool) -> anyhow::Result<()> {
        let sweep = &self.config.sweep;
        let longest = delta(sweep.confirm_after.max(sweep.recheck.last())).max(TimeDelta::hours(1));
        let changed = self.store.pull_back_from_future(self.clock.now(), longest, plans).await?;
        if changed > 0 {
            tracing::info!(
                event = "rows_rescheduled",
                rows = changed,
                "rescheduled rows that a wrong clock had put into the future"
            );
        }
        Ok(())
    }

    /// Runs one cycle: a sweep, the rechecks that are due, planning, and delivery.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn run_once(&self, stop: &CancellationToken) -> anyhow::Result<CycleReport> {
        let report = self.cycle(stop).await;
        self.deliverer.transport.close().await;
        self.tokens.drain().await;
        report
    }

    /// The limit leaves calls for sweeps and deliveries.
    pub(super) fn rechecks_at_once(&self) -> usize {
        (self.gateway.max_background_calls() / 2).clamp(1, MAX_RECHECKS_AT_ONCE)
    }

    async fn cycle(&self, stop: &CancellationToken) -> anyhow::Result<CycleReport> {
        let mut report = CycleReport { sweep: self.sweeper.sweep(stop).await?, mail_pending: false };
        let rechecks = (0..self.rechecks_at_once()).map(|_| async {
            while !stop.is_cancelled() && self.rechecker.recheck_one().await? {}
            Ok::<_, StoreError>(())
        });
        try_join_all(rechecks).await?;
        while !stop.is_cancelled() && self.planner.plan_page().await? {}
        if !Pipeline::new(&self.deliverer).deliver_all(stop).await? {
            if self.deliverer.receiver.is_some() {
                tracing::error!(
                    event = "receiver_failing",
                    "the receiver at webhook.url confirms nothing; notices wait for the next pass"
                );
            } else {
                tracing::error!(
                    event = "mail_server_unusable",
                    "cannot use the mail server; email waits for the next pass"
                );
            }
            report.mail_pending = true;
        }
        if let Some(mut courier) = self.event_courier() {
            courier.maintain().await?;
            courier.deliver_all(stop).await?;
        }
        Ok(report)
    }
}
