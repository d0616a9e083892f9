//! Loads the configuration again while the daemon runs.
//!
//! Everything that can fail happens here, before anything changes: an error leaves the old configuration in force.

use super::components::App;
use super::config_watch::ContentWatch;
use super::generation::Generation;
use super::wake_signals::WakeSignals;
use crate::base::config::{Changes, ConfigError, ConfigSource, Content, Fingerprint, Loaded};
use crate::base::telemetry::LogSettings;
use crate::domain;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

/// What a running daemon keeps: its listeners, its database, its key ring, and its exporter of traces.
const NEEDS_RESTART: [&str; 5] =
    ["admin.listen", "database", "keys.file", "links.listen", "telemetry.otlp_endpoint"];

/// Why the configuration is loaded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    Signal,
    Content,
}

impl Trigger {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Content => "content",
        }
    }
}

/// How a daemon gets another configuration. Cheap to clone.
#[derive(Clone)]
pub struct Reloads {
    source: ConfigSource,
    /// Notified by SIGHUP.
    signal: Arc<Notify>,
    changed: Arc<Notify>,
    watch: ContentWatch<Content>,
    log: Option<LogSettings>,
    /// Of the start.
    started_with: Fingerprint,
    in_force: Fingerprint,
}

/// A configuration that can take the place of the old one.
pub(super) struct Prepared {
    pub(super) app: App,
    pub(super) generation: Generation,
    /// Between the old configuration and this one.
    pub(super) changes: Changes,
    /// The keys that have changed since the start and take effect with a restart.
    pub(super) needs_restart: Vec<String>,
    fingerprint: Fingerprint,
}

impl Reloads {
    /// Loads from `source`, whose content `loaded` had, on each notification of `signal` and when the content changes.
    pub fn new(source: ConfigSource, loaded: &Loaded, signal: Arc<Notify>) -> Self {
        Self {
            // What changes in the moment between the load and this look is loaded with the next change.
            watch: ContentWatch::new(source.look()),
            source,
            signal,
            changed: Arc::default(),
            log: None,
            started_with: loaded.fingerprint.clone(),
            in_force: loaded.fingerprint.clone(),
        }
    }

    /// Also changes the log.
    #[must_use]
    pub(crate) fn with_log(self, log: LogSettings) -> Self {
        Self { log: Some(log), ..self }
    }

    /// Waits for a reason to load the configuration again.
    pub(super) async fn triggered(&self) -> Trigger {
        tokio::select! {
            () = self.signal.notified() => Trigger::Signal,
            () = self.changed.notified() => Trigger::Content,
        }
    }

    /// Reads what the configuration consists of.
    pub(super) async fn look(&self) -> Result<(), JoinError> {
        let source = self.source.clone();
        let seen = spawn_blocking(move || source.look()).await?;
        if self.watch.look(seen) {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Loads the configuration, and builds its components and its schedule. Nothing runs yet.
    pub(super) async fn prepare(
        self,
        old: Arc<App>,
        wakes: WakeSignals,
        shutdown: CancellationToken,
    ) -> Result<Prepared, Vec<String>> {
        let Loaded { config, fingerprint, .. } = self.load().await?;
        let changes = self.in_force.changes_to(&fingerprint);
        let since_start = self.started_with.changes_to(&fingerprint);
        let kept = NEEDS_RESTART.iter().flat_map(|section| since_start.within(section));
        let needs_restart = kept.map(str::to_owned).collect();
        let reason = |error: anyhow::Error| vec![domain::mask(&format!("{error:#}"))];
        let app = old.with_config(config, &changes).await.map_err(reason)?;
        // The end of the process would interrupt the scheduler while it starts.
        if shutdown.is_cancelled() {
            return Err(vec!["the daemon stops".to_owned()]);
        }
        let generation = Generation::prepare(&app, &wakes, &shutdown).await.map_err(reason)?;
        Ok(Prepared { app, generation, changes, needs_restart, fingerprint })
    }

    async fn load(&self) -> Result<Loaded, Vec<String>> {
        let (source, watch) = (self.source.clone(), self.watch.clone());
        let loaded = spawn_blocking(move || {
            // Before the load, so that a change during it is noticed.
            watch.loading(source.look());
            source.load()
        });
        match loaded.await {
            Ok(loaded) => loaded.map_err(|error| reasons(&error)),
            Err(error) => Err(vec![format!("cannot load the configuration: {error}")]),
        }
    }

    /// Notes what is in force from now on, and applies it to the log.
    pub(super) fn adopted(&mut self, prepared: &Prepared) {
        self.in_force.clone_from(&prepared.fingerprint);
        if let Some(log) = &self.log {
            log.apply(&prepared.app.config.telemetry);
        }
    }
}

fn reasons(error: &ConfigError) -> Vec<String> {
    error.diagnostics.iter().map(ToString::to_string).collect()
}
