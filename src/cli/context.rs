//! The configuration that a command works with, and what it opens on demand.

use super::args::Cli;
use super::completion::UsageError;
use crate::base::clock::Clock;
use crate::base::config::{AuthMode, Config, Loaded};
use crate::server::components::App;
use crate::store::Store;

pub(super) struct Context {
    pub(super) json: bool,
    pub(super) config: Config,
    pub(super) loaded: Loaded,
    pub(super) clock: Clock,
}

impl Context {
    pub(super) fn load(cli: &Cli) -> anyhow::Result<Self> {
        let file = Config::find(cli.config.clone());
        let loaded = Config::load(file.as_deref(), std::env::vars_os())?;
        Ok(Self { json: cli.json, config: loaded.config.clone(), loaded, clock: Clock::System })
    }

    /// The file that the configuration came from, for a report.
    pub(super) fn source(&self) -> String {
        match &self.loaded.file {
            Some(file) => file.display().to_string(),
            None => "built-in defaults".to_owned(),
        }
    }

    pub(super) async fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.config.database.url).await?)
    }

    pub(super) async fn app(&self) -> anyhow::Result<App> {
        App::open(self.config.clone(), self.clock.clone()).await.map_err(|error| UsageError(error).into())
    }

    /// Whether the daemon stores a credential for each member.
    pub(super) fn needs_token(&self) -> bool {
        self.config.gateway.auth.mode == AuthMode::RefreshToken
    }
}
