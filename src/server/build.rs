//! Composition: a configuration becomes components. Nothing runs here.

use super::channel::{for_channel, max_deliveries};
use super::components::App;
use super::keys;
use super::policies::{delta, deltas, planning_policy, storm_policy};
use crate::base::clock::Clock;
use crate::base::config::{AuthMode, Changes, Channel, Config, is_local_url};
use crate::base::in_progress::InProgress;
use crate::base::instances::Instances;
use crate::base::telemetry::ConfigReloads;
use crate::credentials::TokenProvider;
use crate::credentials::keyring::Keyring;
use crate::detect::brake::StormBrake;
use crate::detect::decide;
use crate::detect::poll::Poller;
use crate::detect::recheck::Rechecker;
use crate::detect::sweep::{Limits, Sweeper, UNREACHABLE_AFTER};
use crate::domain::NoticeId;
use crate::explain::FleetReports;
use crate::gateway::Gateway;
use crate::mail::{Renderer, Transport};
use crate::notify::deliver::{Deliverer, DomainShares, MailSessions, QueueGate};
use crate::notify::plan;
use crate::notify::planner::Planner;
use crate::reconnect::confirmation::ConfirmationTokens;
use crate::reconnect::form_keys::FormKeys;
use crate::reconnect::links::LinkService;
use crate::reconnect::operator_actions::OperatorActions;
use crate::reconnect::press_limits::PressLimits;
use crate::reconnect::resume::ResumeTokens;
use crate::store::{Store, StoreError};
use crate::traffic::{RequestCounter, RequestRecorder};
use crate::web::ClientLimits;
use crate::web::pages::Pages;
use crate::webhook::WebhookClient;
use std::sync::Arc;
use tokio::sync::{Mutex, Notify};
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

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

    /// Opens the database last, so that an error in the configuration creates none.
    async fn build(
        config: Config,
        clock: Clock,
        keyring: Keyring,
        open_store: impl AsyncFnOnce(&Config) -> Result<Store, StoreError>,
    ) -> anyhow::Result<Self> {
        let keyring = Arc::new(keyring);
        let instances = Instances::new(clock.clone());
        let edges = Edges::new(&config, &clock, &instances)?;
        let store = for_channel(&open_store(&config).await?, &config);
        store.verify_takes_work().await?;
        keys::verify(&store, &keyring, needs_token(&config), clock.now()).await?;
        let lasting = Lasting::new(&config, store.clone(), keyring, instances, clock);
        Ok(assemble(config, edges, lasting, store))
    }

    /// The components for another configuration, on the same database. They share with these what a reload must not
    /// forget. `changes` are those of the settings.
    ///
    /// # Errors
    /// The error names the setting.
    pub(super) async fn with_config(&self, config: Config, changes: &Changes) -> anyhow::Result<Self> {
        let (settings, clock, instances) = (config.clone(), self.clock.clone(), self.instances.clone());
        // Reads templates, and the certificates of the machine.
        let mut edges = spawn_blocking(move || Edges::new(&settings, &clock, &instances)).await??;
        // Connections, limits, and what the other side asked for stay as they are, unless they are to change.
        if !changes.touch("gateway") {
            edges.gateway = self.gateway.clone();
        }
        if !changes.touch("email") {
            edges.transport = self.deliverer.transport.clone();
        }
        let store = for_channel(&self.store, &config);
        if changes.touch("gateway.auth.mode") {
            keys::verify(&store, &self.keyring, needs_token(&config), self.clock.now()).await?;
        }
        let lasting = Lasting::of(self, &config, changes);
        Ok(assemble(config, edges, lasting, store))
    }
}

/// Whether each member needs a stored refresh token.
fn needs_token(config: &Config) -> bool {
    config.gateway.auth.mode == AuthMode::RefreshToken
}

/// What is built from the configuration alone.
struct Edges {
    gateway: Gateway,
    renderer: Arc<Renderer>,
    pages: Arc<Pages>,
    transport: Arc<Transport>,
    webhook: Option<WebhookClient>,
}

impl Edges {
    fn new(config: &Config, clock: &Clock, instances: &Instances) -> anyhow::Result<Self> {
        let gateway = Gateway::new(&config.gateway, clock.clone(), instances)?;
        let renderer = Renderer::new(&config.brand(), &config.notices, &config.email, &config.links)?;
        for warning in renderer.warnings() {
            tracing::warn!(event = "template_warning", %warning, "check this template");
        }
        let pages = Pages::new(&config.brand(), &config.notices, config.links.ttl)?;
        for warning in pages.warnings() {
            tracing::warn!(event = "template_warning", %warning, "check this template");
        }
        Ok(Self {
            gateway,
            renderer: Arc::new(renderer),
            pages: Arc::new(pages),
            transport: Arc::new(Transport::new(&config.email, instances)?),
            webhook: WebhookClient::new(&config.webhook, clock)?,
        })
    }
}

/// What outlives a configuration.
struct Lasting {
    keyring: Arc<Keyring>,
    instances: Instances,
    client_limits: ClientLimits,
    imports: Arc<Mutex<()>>,
    config_reloads: ConfigReloads,
    clock: Clock,
    requests: (RequestRecorder, RequestCounter),
    press_limits: PressLimits,
    wake: Arc<Notify>,
    gate: QueueGate,
    shares: DomainShares,
    in_progress: InProgress<NoticeId>,
    recordings: TaskTracker,
    fleet: FleetReports,
    former: Option<Former>,
}

/// The components of the former configuration that may have work in progress.
struct Former {
    tokens: TokenProvider,
    keeps_renewals: bool,
    sweeper: Sweeper,
    rechecker: Rechecker,
}

impl Lasting {
    fn new(config: &Config, store: Store, keyring: Arc<Keyring>, instances: Instances, clock: Clock) -> Self {
        Self {
            fleet: fleet_reports(config, &store, &keyring, &clock),
            requests: RequestCounter::new(store, clock.clone()),
            keyring,
            instances,
            client_limits: ClientLimits::new(&config.links, &clock),
            imports: Arc::default(),
            config_reloads: ConfigReloads::started_at(clock.now()),
            press_limits: PressLimits::new(clock.clone()),
            wake: Arc::default(),
            gate: QueueGate::default(),
            shares: DomainShares::new(max_deliveries(&config.email)),
            in_progress: InProgress::default(),
            recordings: TaskTracker::new(),
            former: None,
            clock,
        }
    }

    fn of(app: &App, config: &Config, changes: &Changes) -> Self {
        let App { deliverer, .. } = app;
        // The pause of a queue whose mail server, or receiver, may be another one now.
        let closes_anew =
            ["email", "webhook", "notices.channel"].iter().any(|section| changes.touch(section));
        let fleet = if changes.touch("gateway.auth.mode") {
            fleet_reports(config, &app.store, &app.keyring, &app.clock)
        } else {
            app.fleet.clone()
        };
        Self {
            keyring: app.keyring.clone(),
            instances: app.instances.clone(),
            client_limits: app.client_limits.changed_to(&config.links),
            imports: app.imports.clone(),
            config_reloads: app.config_reloads.clone(),
            clock: app.clock.clone(),
            requests: (app.request_recorder.clone(), app.request_counter.clone()),
            press_limits: app.links.press_limits.clone(),
            wake: deliverer.wake.clone(),
            gate: if closes_anew { QueueGate::default() } else { deliverer.gate.clone() },
            shares: deliverer.shares.resized(max_deliveries(&config.email)),
            in_progress: deliverer.in_progress.clone(),
            recordings: deliverer.recordings.clone(),
            fleet,
            former: Some(Former {
                tokens: app.tokens.clone(),
                keeps_renewals: !changes.touch("gateway"),
                sweeper: app.sweeper.clone(),
                rechecker: app.rechecker.clone(),
            }),
        }
    }
}

fn fleet_reports(config: &Config, store: &Store, keyring: &Arc<Keyring>, clock: &Clock) -> FleetReports {
    let needs_token = needs_token(config);
    FleetReports::new(store.clone(), clock.clone(), keyring.clone(), needs_token, UNREACHABLE_AFTER)
}

/// `store` records the events of the configuration.
fn assemble(config: Config, edges: Edges, lasting: Lasting, store: Store) -> App {
    let Edges { gateway, renderer, pages, transport, webhook } = edges;
    let Lasting { keyring, clock, former, .. } = lasting;
    let gateway = gateway.allowing_local_sign_in(is_local_url(&config.links.public_url));
    let mut tokens = TokenProvider::new(
        store.clone(),
        gateway.clone(),
        keyring.clone(),
        clock.clone(),
        config.gateway.auth.mode,
        config.gateway.max_renewals,
    );
    if let Some(former) = &former {
        tokens = former.tokens.succeeded_by(tokens, former.keeps_renewals);
    }
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
    let mut sweeper = Sweeper::new(
        store.clone(),
        poller.clone(),
        tokens.clone(),
        gateway.clone(),
        clock.clone(),
        brake,
        Limits {
            at_once: gateway.max_background_calls(),
            needs_token: needs_token(&config),
            max_unclear: config.telemetry.heartbeat_max_unclear,
        },
    );
    let mut rechecker = Rechecker::new(store.clone(), poller.clone(), clock.clone(), recheck, recheck_after);
    if let Some(former) = &former {
        sweeper = sweeper.succeeding(&former.sweeper);
        rechecker = rechecker.beside(&former.rechecker);
    }
    let (request_recorder, request_counter) = lasting.requests;
    App {
        request_recorder,
        request_counter,
        sweeper,
        links: LinkService {
            store: store.interactive(),
            tokens: tokens.interactive(),
            gateway: gateway.interactive(),
            clock: clock.clone(),
            resume_tokens: ResumeTokens::new(keyring.clone()),
            form_keys: FormKeys::new(keyring.clone()),
            confirmation_tokens: ConfirmationTokens::new(keyring.clone()),
            press_limits: lasting.press_limits,
            policy: policy.clone(),
            max_redemptions: config.links.max_redemptions,
            first_recheck: Some(delta(sweep.recheck.first())),
        },
        pages,
        rechecker,
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
            instances: lasting.instances.clone(),
            link_ttl: config.links.ttl,
            policy,
            gate: lasting.gate,
            wake: lasting.wake,
            shares: lasting.shares,
            sessions: MailSessions::new(config.email.connections),
            max_under_way: max_deliveries(&config.email),
            in_progress: lasting.in_progress,
            recordings: lasting.recordings,
        },
        operator: OperatorActions {
            store: store.clone(),
            poller: poller.clone(),
            tokens: tokens.clone(),
            gateway: gateway.clone(),
            clock: clock.clone(),
            link_ttl: delta(config.links.ttl),
        },
        fleet: lasting.fleet,
        webhook,
        store,
        poller,
        tokens,
        gateway,
        keyring,
        instances: lasting.instances,
        client_limits: lasting.client_limits,
        imports: lasting.imports,
        config_reloads: lasting.config_reloads,
        clock,
        config: Arc::new(config),
    }
}
