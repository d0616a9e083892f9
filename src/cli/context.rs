//! The configuration of a command, and the components that it opens on demand.

use super::completion::not_opened;
use super::output::errln;
use crate::base::clock::Clock;
use crate::base::config::{AuthMode, Config, ConfigSource, Loaded};
use crate::credentials::agreement::agree;
use crate::credentials::former_keys::load_former_keys;
use crate::credentials::key_check::{self, KeyReport};
use crate::credentials::keyring::Keyring;
use crate::credentials::{CallError, credential_rules};
use crate::domain::{Actor, CredentialRules};
use crate::server::channel::for_channel;
use crate::server::components::App;
use crate::store::Store;
use std::path::PathBuf;

pub(super) struct Context {
    pub(super) json: bool,
    pub(super) config: Config,
    pub(super) loaded: Loaded,
    pub(super) source: ConfigSource,
    pub(super) clock: Clock,
}

impl Context {
    pub(super) fn load(file: Option<PathBuf>, json: bool) -> anyhow::Result<Self> {
        let source = ConfigSource::new(file, std::env::vars_os());
        let loaded = source.load()?;
        for warning in &loaded.warnings {
            errln!("reconnectd: {warning}");
        }
        Ok(Self { json, config: loaded.config.clone(), loaded, source, clock: Clock::System })
    }

    /// The file that the configuration came from, for a report.
    pub(super) fn source_name(&self) -> String {
        match &self.loaded.file {
            Some(file) => file.display().to_string(),
            None => "built-in defaults".to_owned(),
        }
    }

    /// Opens the database to read from it. It must exist. Warns if another database has taken its place.
    pub(super) async fn store(&self) -> anyhow::Result<Store> {
        let store = self.store_or_marked().await?;
        store.verify_complete().await?;
        if let Err(outdated) = store.verify_takes_work().await {
            errln!("reconnectd: what follows is out of date: {outdated}");
        }
        Ok(store)
    }

    /// Opens the database to write to it. It must exist.
    pub(super) async fn store_to_write(&self) -> anyhow::Result<Store> {
        let store = self.store_or_marked().await?;
        store.verify_takes_work().await?;
        Ok(store.acting_as(self.actor()))
    }

    /// Opens the database, which must exist, even if it takes no work.
    pub(super) async fn store_or_marked(&self) -> anyhow::Result<Store> {
        let store = Store::open_existing(&self.config.database.url()).await?;
        Ok(for_channel(&store, &self.config))
    }

    /// Opens the components. Creates the database if needed.
    pub(super) async fn app_or_create(&self) -> anyhow::Result<App> {
        App::open(self.config.clone(), self.clock.clone()).await.map_err(not_opened)
    }

    /// Runs `action` on the components, then waits for token refreshes that are still running. An interrupted one could
    /// lose a token. The database must exist.
    pub(super) async fn with_app<T>(
        &self,
        action: impl AsyncFnOnce(&App) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut app =
            App::open_existing(self.config.clone(), self.clock.clone()).await.map_err(not_opened)?;
        app.store = app.store.acting_as(self.actor());
        app.operator.store = app.store.clone();
        let result = action(&app).await;
        app.tokens.drain().await;
        result
    }

    /// Without a readable key ring, only a sweep knows which credentials are locked.
    pub(super) async fn credential_rules(&self, store: &Store) -> anyhow::Result<CredentialRules> {
        let needs_token = self.needs_token();
        if !needs_token {
            return Ok(CredentialRules::default());
        }
        match Keyring::open(&self.config.keys.file) {
            Ok(keyring) => Ok(credential_rules(store, &keyring, needs_token).await?),
            Err(error) => {
                errln!("reconnectd: cannot tell which credentials the key ring opens: {error}");
                Ok(CredentialRules::stored_tokens())
            }
        }
    }

    /// Opens the key ring and the database to store credentials. Creates the database if needed.
    pub(super) async fn keyring_and_store(&self) -> anyhow::Result<(Keyring, Store)> {
        let keyring = Keyring::open(&self.config.keys.file)?;
        let store = Store::open(&self.config.database.url()).await?;
        let store = for_channel(&store, &self.config);
        store.verify_takes_work().await?;
        let report = KeyReport::new(&store, &keyring).await?;
        report.verify_sealing()?;
        self.prepare(&store, &keyring).await?;
        key_check::leave_canary(&store, &keyring).await?;
        if report.locked > 0 && self.needs_token() {
            errln!("reconnectd: {}", locked_warning(report.locked));
        }
        Ok((keyring, store.acting_as(self.actor())))
    }

    /// Lets the key ring recognize what former keys signed, and encrypt with a key that all live instances have.
    pub(super) async fn prepare(&self, store: &Store, keyring: &Keyring) -> anyhow::Result<()> {
        let now = self.clock.now();
        let locked = load_former_keys(store, keyring, now).await.map_err(|error| match error {
            CallError::Keyring(error) => anyhow::Error::from(error),
            error => error.into(),
        })?;
        if !locked.is_empty() {
            errln!(
                "reconnectd: the key ring does not open what is kept of the former keys {}; tokens that were imported under \
                 them are not recognized",
                locked.join(", ")
            );
        }
        agree(store, keyring, now).await?;
        Ok(())
    }

    /// The user who runs the command, for the audit. With sudo, the user who called it.
    pub(super) fn actor(&self) -> Actor {
        let caller = std::env::var("SUDO_USER").ok();
        let user = caller.or_else(|| whoami::username().ok()).unwrap_or_default();
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let user: String = user.chars().filter(is_plain).take(64).collect();
        Actor::Command(if user.is_empty() { "unknown".to_owned() } else { user })
    }

    /// Whether the daemon stores a credential for each member.
    pub(super) fn needs_token(&self) -> bool {
        self.config.gateway.auth.mode == AuthMode::RefreshToken
    }
}

/// The warning that the key ring does not open so many stored credentials.
pub(super) fn locked_warning(credentials: u64) -> String {
    format!(
        "the key ring does not open {credentials} of the stored credentials, and the daemon skips their members; restore \
         the keys, or import fresh refresh tokens"
    )
}
