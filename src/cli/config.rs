//! `config …`.

use super::completion::Completion;
use super::context::Context;
use super::output::outln;
use crate::base::config::json_schema;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the effective configuration with secrets masked
    Print,
    /// Print the JSON Schema of the configuration file, for editors; reads no configuration
    Schema,
}

pub(super) fn run(
    load: impl FnOnce() -> anyhow::Result<Context>,
    json: bool,
    command: &ConfigCommand,
) -> anyhow::Result<Completion> {
    match command {
        ConfigCommand::Print => print(&load()?),
        ConfigCommand::Schema => schema(json),
    }
}

fn schema(json: bool) -> anyhow::Result<Completion> {
    let schema = json_schema();
    if json {
        outln!("{schema}");
    } else {
        outln!("{schema:#}");
    }
    Ok(Completion::Complete)
}

fn print(context: &Context) -> anyhow::Result<Completion> {
    if context.json {
        outln!("{}", context.loaded.to_json());
    } else {
        outln!("{}", context.loaded.to_toml().trim_end());
    }
    Ok(Completion::Complete)
}
