//! The command line: arguments → call → print. One file or folder per command family.

mod args;
mod audit;
mod backup;
mod check;
mod completion;
mod config;
mod connections;
mod context;
mod database;
#[cfg(feature = "sim")]
mod demo;
mod disclosures;
mod events;
mod file_progress;
mod generate;
mod hold;
mod keys;
mod lapses;
mod links;
mod member_filter;
mod members;
mod notices;
mod output;
mod preview;
mod prompt;
mod replay;
mod restore;
mod run;
mod signals;
#[cfg(feature = "sim")]
mod simulate;
mod since;
mod sources;
mod status;
mod suppress;
mod tokens;
mod transitions;
mod why;

use args::{Cli, Command};
use clap::Parser;
use completion::Completion;
use context::Context;
use std::process::ExitCode;

/// Runs the command that the process was started with.
pub async fn main() -> ExitCode {
    completion::exit_code(dispatch(Cli::parse()).await)
}

async fn dispatch(cli: Cli) -> anyhow::Result<Completion> {
    let Cli { config, json, command } = cli;
    let load = || Context::load(config, json);
    match &command {
        // The simulator's commands do not read the operator's configuration.
        #[cfg(feature = "sim")]
        Command::Demo(arguments) => demo::demo(arguments).await,
        #[cfg(feature = "sim")]
        Command::Simulate(arguments) => simulate::simulate(arguments).await,
        Command::Run => run::run(&load()?).await,
        Command::Once => run::once(&load()?).await,
        Command::Check(arguments) => check::check(&load()?, arguments).await,
        Command::Config(command) => config::run(load, json, command),
        Command::Keys(command) => keys::run(&load()?, command).await,
        Command::Members(command) => members::run(&load()?, command).await,
        Command::Connections(command) => connections::run(&load()?, command).await,
        Command::Transitions(filter) => transitions::transitions(&load()?, filter.member.as_ref()).await,
        Command::Lapses(command) => lapses::run(&load()?, command).await,
        Command::Notices(command) => notices::run(&load()?, command).await,
        Command::Hold(command) => hold::run(&load()?, command).await,
        Command::Events(command) => events::run(&load()?, command).await,
        Command::Suppress(command) => suppress::run(&load()?, command).await,
        Command::Sources(command) => sources::run(&load()?, command).await,
        Command::Links(command) => links::links(&load()?, command).await,
        Command::Backup(arguments) => backup::backup(&load()?, arguments).await,
        Command::Restore(arguments) => restore::restore(&load()?, arguments).await,
        Command::Database(command) => database::run(&load()?, command).await,
        Command::Why(arguments) => why::why(&load()?, arguments).await,
        Command::Disclosures(arguments) => disclosures::disclosures(&load()?, arguments).await,
        Command::Replay(arguments) => replay::replay(&load()?, arguments).await,
        Command::Tokens(command) => tokens::run(json, command),
        Command::Audit(command) => audit::run(&load()?, command).await,
        Command::Status => status::status(&load()?).await,
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { directory } => generate::man(directory, json),
    }
}
