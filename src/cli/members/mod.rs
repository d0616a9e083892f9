//! `members …`.

mod add;
mod import;
mod list;
mod pause;
mod rejections;
mod remove;
mod retry;
mod row;
mod show;

pub(super) use row::no_such_member;

use super::completion::Completion;
use super::context::Context;
use crate::domain::MemberId;
use add::AddArgs;
use clap::Subcommand;
use import::ImportArgs;

#[derive(Debug, Subcommand)]
pub(super) enum MembersCommand {
    /// Enroll or update members from CSV or JSON Lines
    Import(ImportArgs),
    /// Enroll one member, or change the given values of an enrolled one
    Add(AddArgs),
    /// List members
    List {
        /// List only unpaused members without a usable response for 24 hours, or with an open lapse about which they
        /// get no more email
        #[arg(long)]
        unreachable: bool,
    },
    /// Poll members now that are waiting for a retry, for example after a rejected credential
    Retry {
        /// Member ids
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<MemberId>,
        /// Poll all members that are waiting for a retry
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Stop polls and email for members, until they are resumed
    Pause {
        /// Member ids
        #[arg(value_name = "ID", required = true)]
        ids: Vec<MemberId>,
    },
    /// Poll and email paused members again, and send what the pause stopped
    Resume {
        /// Member ids
        #[arg(value_name = "ID", required = true)]
        ids: Vec<MemberId>,
    },
    /// Show one member
    Show {
        /// Member id
        id: MemberId,
    },
    /// Stop watching a member
    Remove {
        /// Member id
        id: MemberId,
        /// Delete the member's data, too
        #[arg(long)]
        erase: bool,
    },
}

pub(super) async fn run(context: &Context, command: &MembersCommand) -> anyhow::Result<Completion> {
    match command {
        MembersCommand::Import(args) => import::import(context, args).await,
        MembersCommand::Add(args) => add::add(context, args).await,
        MembersCommand::List { unreachable } => list::list(context, *unreachable).await,
        MembersCommand::Retry { ids, all } => retry::retry(context, ids, *all).await,
        MembersCommand::Pause { ids } => pause::pause(context, ids).await,
        MembersCommand::Resume { ids } => pause::resume(context, ids).await,
        MembersCommand::Show { id } => show::show(context, id).await,
        MembersCommand::Remove { id, erase } => remove::remove(context, id, *erase).await,
    }
}
