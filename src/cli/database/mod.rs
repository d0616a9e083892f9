//! `database …`.

mod copy;
mod reopen;

use super::completion::Completion;
use super::context::Context;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum DatabaseCommand {
    Copy(copy::CopyArgs),
    /// Use the configured database again after it was copied
    Reopen {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(context: &Context, command: &DatabaseCommand) -> anyhow::Result<Completion> {
    match command {
        DatabaseCommand::Copy(arguments) => copy::copy(context, arguments).await,
        DatabaseCommand::Reopen { yes } => reopen::reopen(context, *yes).await,
    }
}
