//! The components of the daemon, and what they do together.

use super::policies::{delta, planning_policy, storm_policy};
use super::recorded_policy::recorded_policy;
use crate::base::clock::Clock;
use crate::base::config::{Channel, Config};
use crate::base::instances::Instances;
use crate::base::telemetry::{ConfigReloads, metrics};
use crate::credentials::TokenProvider;
use crate::credentials::keyring::Keyring;
use crate::detect::poll::Poller;
use crate::detect::recheck::Rechecker;
use crate::detect::sweep::{SweepReport, Sweeper};
use crate::explain::{Explainer, FleetReports};
use crate::gateway::Gateway;
use crate::notify::deliver::{Deliverer, Pipeline};
use crate::notify::events::{DueLinks, EventCourier};
use crate::notify::planner::Planner;
use crate::reconnect::links::LinkService;
use crate::reconnect::operator_actions::OperatorActions;
use crate::store::{Store, StoreError};
use crate::traffic::{RequestCounter, RequestRecorder};
use crate::web::ClientLimits;
use crate::web::pages::Pages;
use crate::webhook::WebhookClient;
use chrono::TimeDelta;
use futures_util::future::try_join_all;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

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
    pub(crate) client_limits: ClientLimits,
    /// See `AdminServices::imports`.
    pub(crate) imports: Arc<Mutex<()>>,
    pub config_reloads: ConfigReloads,
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

    /// Continues the work that earlier runs left unfinished.
    pub(super) async fn continue_unfinished_work(&self) -> anyhow::Result<()> {
        self.finish_interrupted_import().await?;
        self.adopt_policy(None).await?;
        let was_ahead = self.store.has_rows_from_future(self.clock.now()).await?;
        self.pull_back(was_ahead).await?;
        let (ended, complete) = self.store.last_sweep_ends().await?;
        metrics::set_last_sweeps(ended, complete);
        Ok(())
    }

    /// Makes another configuration apply to what was planned before. `former`: the policy that this instance planned by.
    pub(super) async fn adopt_policy(&self, former: Option<&str>) -> anyhow::Result<()> {
        let now = self.clock.now();
        let lapses = self.store.replan_misconfigured(now).await?;
        if lapses > 0 {
            tracing::info!(
                event = "notices_replanned",
                lapses,
                "planning notices again that a misconfiguration abandoned"
            );
        }
        self.store.plan_under(&self.policy_fingerprint(), former, now).await?;
        let recorded = recorded_policy(&self.deliverer.policy, &storm_policy(&self.config.storm));
        self.store.record_policy(&recorded.to_string(), now).await?;
        if former.is_some() {
            self.pull_back(false).await?;
        }
        Ok(())
    }

    /// Tells whether two configurations plan alike.
    pub(super) fn policy_fingerprint(&self) -> String {
        let mut policy = self.deliverer.policy.fingerprint();
        if self.config.notices.channel == Channel::Webhook {
            policy.push_str(" for each member");
        }
        policy
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
