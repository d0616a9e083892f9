//! `config …`.

use super::completion::Completion;
use super::context::Context;
use super::output::outln;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the effective configuration with secrets masked
    Print,
}

pub(super) fn run(context: &Context, command: &ConfigCommand) -> anyhow::Result<Completion> {
    let ConfigCommand::Print = command;
    if context.json {
        outln!("{}", context.loaded.to_json());
    } else {
        outln!("{}", context.loaded.to_toml().trim_end());
    }
    Ok(Completion::Complete)
}
