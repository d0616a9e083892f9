//! The two listeners, and what they serve.

use super::components::App;
use super::runner::{Ended, Tasks};
use crate::base::telemetry::{LoopStates, MetricsPage, Repeats};
use crate::domain::Actor;
use crate::web;
use anyhow::Context;
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The open listeners. What they serve can be replaced.
pub(super) struct Listeners {
    links: web::RouterSwitch,
    admin: web::RouterSwitch,
    lasting: LastingHealth,
}

/// What health reports that no configuration changes.
pub(super) struct LastingHealth {
    pub(super) sweeps_overdue: Arc<dyn Fn() -> bool + Send + Sync>,
    pub(super) loops: LoopStates,
    pub(super) repeats: Arc<Repeats>,
    pub(super) metrics: Option<MetricsPage>,
}

impl Listeners {
    pub(super) fn serve(
        tasks: &mut Tasks,
        (links, admin): (TcpListener, TcpListener),
        app: &App,
        lasting: LastingHealth,
        shutdown: &CancellationToken,
    ) -> Self {
        let served = Self {
            links: web::RouterSwitch::new(web::public(public_state(app))),
            admin: web::RouterSwitch::new(web::admin_router(lasting.health(app), admin_state(app))),
            lasting,
        };
        let (router, peers) = (served.links.router(), app.client_limits.peers.clone());
        let pages = web::serve_peers(links, router, web::ServerLimits::default(), peers, shutdown.clone());
        spawn(tasks, "links", pages, shutdown);
        let limits = web::ServerLimits::with_imports();
        let pages = web::serve(admin, served.admin.router(), limits, shutdown.clone());
        spawn(tasks, "admin", pages, shutdown);
        served
    }

    /// From the next request on, for open connections, too.
    pub(super) fn switch_to(&self, app: &App) {
        app.client_limits.limit_peers(&app.config.links);
        self.links.set(web::public(public_state(app)));
        self.admin.set(web::admin_router(self.lasting.health(app), admin_state(app)));
    }
}

impl LastingHealth {
    fn health(&self, app: &App) -> web::HealthState {
        web::HealthState {
            store: app.store.clone(),
            instances: app.instances.clone(),
            sweeps_overdue: self.sweeps_overdue.clone(),
            loops: self.loops.clone(),
            repeats: self.repeats.clone(),
            metrics: self.metrics.clone(),
        }
    }
}

pub(super) async fn listen(key: &'static str, addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| format!("{key}: cannot listen on {addr}"))
}

fn spawn(
    tasks: &mut Tasks,
    name: &'static str,
    serving: impl Future<Output = std::io::Result<()>> + Send + 'static,
    shutdown: &CancellationToken,
) {
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        let result = serving.await.map_err(Into::into);
        Ended { name, is_expected: shutdown.is_cancelled(), result }
    });
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
        client_limits: app.client_limits.clone(),
        hooks: hook_state(app),
        bwell: bwell_state(app),
    })
}

/// The admin listener's pages, without loops and metrics, for tests.
pub fn admin_router(app: &App) -> web::Router {
    let lasting = LastingHealth {
        sweeps_overdue: Arc::new(|| false),
        loops: LoopStates::default(),
        repeats: Arc::default(),
        metrics: None,
    };
    web::admin_router(lasting.health(app), admin_state(app))
}

fn admin_state(app: &App) -> web::AdminState {
    let config = &app.config;
    web::AdminState::new(web::AdminServices {
        tokens: web::AccessTokens::new(&config.admin),
        hosts: config.admin.hosts.clone(),
        wrong_tokens: app.client_limits.wrong_tokens.clone(),
        store: app.store.interactive(),
        clock: app.clock.clone(),
        keyring: app.keyring.clone(),
        explainer: app.explainer(),
        imports: app.imports.clone(),
        fleet: app.fleet.clone(),
        drip_per_minute: config.storm.drip_per_minute,
        config_reloads: app.config_reloads.clone(),
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
            wrong_passwords: app.client_limits.wrong_hook_passwords.clone(),
            trusted_proxies: links.trusted_proxies,
        })
    })
}

/// `None`: there is no secret to verify messages of b.well.
fn bwell_state(app: &App) -> Option<web::BwellState> {
    let secret = &app.config.gateway.webhook_secret;
    let is_enabled = !secret.expose_secret().is_empty();
    is_enabled.then(|| {
        web::BwellState::new(web::BwellServices {
            secret: secret.clone(),
            store: app.store.interactive().acting_as(Actor::Gateway),
            keyring: app.keyring.clone(),
            clock: app.clock.clone(),
            wrong_signatures: app.client_limits.wrong_signatures.clone(),
            trusted_proxies: app.config.links.trusted_proxies,
        })
    })
}
