//! The command line: arguments → call → print. A file per command family.

mod args;
mod check;
mod completion;
mod connections;
mod context;
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

use crate::credentials::keyring::Keyring;
use crate::gateway;
use args::{
    Command, ConfigCommand, ConnectionsCommand, KeysCommand, LapsesCommand, MembersCommand, NoticesCommand,
};
use clap::Parser;
use completion::{Completion, UsageError};
use context::Context;
use output::outln;
use std::process::ExitCode;

/// Runs the command that the process was started with.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    completion::exit_code(dispatch(cli).await)
}

async fn dispatch(cli: Cli) -> anyhow::Result<Completion> {
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

fn config_print(context: &Context) -> anyhow::Result<Completion> {
    if context.json {
        outln!("{}", context.loaded.to_json());
    } else {
        outln!("{}", context.loaded.to_toml().trim_end());
    }
    Ok(Completion::Complete)
}

fn keys_generate(context: &Context) -> anyhow::Result<Completion> {
    let path = &context.config.keys.file;
    let id = Keyring::generate(path)?;
    if context.json {
        outln!("{}", serde_json::json!({ "key_id": id, "file": path }));
    } else {
        outln!("key {id} made in {}; keep a copy apart from the database", path.display());
    }
    Ok(Completion::Complete)
}

/// For the operator's identity provider to publish.
fn keys_jwks(context: &Context) -> anyhow::Result<Completion> {
    let jwks = gateway::jwks(&context.config.gateway.auth).map_err(|error| UsageError(error.into()))?;
    if context.json {
        outln!("{jwks}");
    } else {
        outln!("{jwks:#}");
    }
    Ok(Completion::Complete)
}
