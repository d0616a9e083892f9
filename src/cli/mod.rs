//! The command line: arguments → call → print. A file per command family.

mod args;
mod check;
mod connections;
#[cfg(feature = "sim")]
mod demo;
mod import;
mod links;
mod lists;
mod members;
mod operations;
mod output;
mod preview;
mod prompt;
mod retry;
mod run;
#[cfg(feature = "sim")]
mod simulate;
mod status;
mod suppress;

pub(crate) use args::Cli;

use crate::base::clock::Clock;
use crate::base::config::{AuthMode, Config, ConfigError, Loaded};
use crate::credentials::keyring::{Keyring, KeyringError};
use crate::gateway;
use crate::server::app::App;
use crate::store::{Store, StoreError};
use args::{
    Command, ConfigCommand, ConnectionsCommand, KeysCommand, LapsesCommand, MembersCommand, NoticesCommand,
};
use clap::Parser;
use output::say;
use std::process::ExitCode;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// All of it.
    All,
    /// Some members were unclear.
    Incomplete,
}

/// What a command has to work with.
struct Context {
    json: bool,
    config: Config,
    loaded: Loaded,
    clock: Clock,
}

/// Not the command failed, but what it was to work with cannot be used as it is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unusable(anyhow::Error);

/// Runs the command that the process was started with.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli).await {
        Ok(Done::All) => ExitCode::SUCCESS,
        Ok(Done::Incomplete) => ExitCode::from(3),
        // Whoever reads our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reconnectd: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// 2 for what has to be mended in the configuration, or in what it names; 1 for the rest.
fn exit_code(error: &anyhow::Error) -> u8 {
    let by_store = matches!(
        error.downcast_ref(),
        Some(StoreError::Url(_) | StoreError::Open { .. } | StoreError::Migration(_))
    );
    let by_vault =
        error.downcast_ref::<KeyringError>().is_some_and(|error| !matches!(error, KeyringError::Exists(_)));
    let unusable = by_store || by_vault || error.is::<ConfigError>() || error.is::<Unusable>();
    if unusable { 2 } else { 1 }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

async fn dispatch(cli: Cli) -> anyhow::Result<Done> {
    // The demo brings its own configuration.
    #[cfg(feature = "sim")]
    match &cli.command {
        Command::Demo { once } => return demo::demo(*once).await,
        Command::Simulate(arguments) => return simulate::simulate(arguments).await,
        _ => {}
    }
    let context = Context::load(&cli)?;
    match &cli.command {
        Command::Run => run::run(&context).await,
        Command::Once => run::once(&context).await,
        #[cfg(feature = "sim")]
        Command::Demo { .. } | Command::Simulate(_) => unreachable!("dealt with above"),
        Command::Check { member, send_test } => {
            check::check(&context, member.as_ref(), send_test.as_ref()).await
        }
        Command::Config(ConfigCommand::Print) => config_print(&context),
        Command::Keys(KeysCommand::Generate) => keys_generate(&context),
        Command::Keys(KeysCommand::Jwks) => keys_jwks(&context),
        Command::Members(MembersCommand::Import { file }) => members::import(&context, file).await,
        Command::Members(MembersCommand::List { unreachable }) => members::list(&context, *unreachable).await,
        Command::Members(MembersCommand::Retry { ids, all }) => members::retry(&context, ids, *all).await,
        Command::Members(MembersCommand::Show { id }) => members::show(&context, id).await,
        Command::Members(MembersCommand::Remove { id, erase }) => members::remove(&context, id, *erase).await,
        Command::Connections(ConnectionsCommand::List(of)) => match &of.member {
            Some(member) => connections::list_now(&context, member).await,
            None => connections::list_stored(&context).await,
        },
        Command::Connections(ConnectionsCommand::Establish { which, integration_type, means }) => {
            operations::establish(&context, which, integration_type.as_deref(), means).await
        }
        Command::Connections(ConnectionsCommand::Reconnect { which, means }) => {
            operations::reconnect(&context, which, means).await
        }
        Command::Connections(ConnectionsCommand::Disconnect(parting)) => {
            operations::disconnect(&context, parting).await
        }
        Command::Connections(ConnectionsCommand::Delete(parting)) => {
            operations::delete(&context, parting).await
        }
        Command::Transitions(of) => lists::transitions(&context, of.member.as_ref()).await,
        Command::Lapses(LapsesCommand::List(of)) => lists::lapses(&context, of.member.as_ref()).await,
        Command::Notices(NoticesCommand::List(of)) => lists::notices(&context, of.member.as_ref()).await,
        Command::Notices(NoticesCommand::Show { id }) => lists::notice(&context, id).await,
        Command::Notices(NoticesCommand::Retry { ids, all }) => retry::retry(&context, ids, *all).await,
        Command::Notices(NoticesCommand::Preview(wanted)) => preview::preview(&context, wanted),
        Command::Suppress(command) => suppress::suppress(&context, command).await,
        Command::Links(command) => links::links(&context, command).await,
        Command::Status => status::status(&context).await,
    }
}

fn config_print(context: &Context) -> anyhow::Result<Done> {
    if context.json {
        say!("{}", context.loaded.to_json());
    } else {
        say!("{}", context.loaded.to_toml().trim_end());
    }
    Ok(Done::All)
}

fn keys_generate(context: &Context) -> anyhow::Result<Done> {
    let path = &context.config.keys.file;
    let id = Keyring::generate(path)?;
    if context.json {
        say!("{}", serde_json::json!({ "key_id": id, "file": path }));
    } else {
        say!("key {id} made in {}; keep a copy apart from the database", path.display());
    }
    Ok(Done::All)
}

/// For the operator's identity provider to publish.
fn keys_jwks(context: &Context) -> anyhow::Result<Done> {
    let jwks = gateway::jwks(&context.config.gateway.auth).map_err(|error| Unusable(error.into()))?;
    if context.json {
        say!("{jwks}");
    } else {
        say!("{jwks:#}");
    }
    Ok(Done::All)
}

impl Context {
    fn load(cli: &Cli) -> anyhow::Result<Self> {
        let file = Config::find(cli.config.clone());
        let loaded = Config::load(file.as_deref(), std::env::vars_os())?;
        Ok(Self { json: cli.json, config: loaded.config.clone(), loaded, clock: Clock::System })
    }

    /// Where the configuration came from.
    fn source(&self) -> String {
        match &self.loaded.file {
            Some(file) => file.display().to_string(),
            None => "built-in defaults".to_owned(),
        }
    }

    async fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.config.database.url).await?)
    }

    async fn app(&self) -> anyhow::Result<App> {
        App::open(self.config.clone(), self.clock.clone()).await.map_err(|error| Unusable(error).into())
    }

    /// Whether a member needs a stored credential.
    fn needs_token(&self) -> bool {
        self.config.gateway.auth.mode == AuthMode::RefreshToken
    }
}
