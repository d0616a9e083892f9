//! `notices …`.

mod list;
mod retry;
mod show;

use super::args::preview::Preview;
use super::completion::Completion;
use super::context::Context;
use super::member_filter::MemberFilter;
use super::preview;
use crate::domain::NoticeId;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum NoticesCommand {
    /// List notices
    List(MemberFilter),
    /// Show a notice and its delivery attempts
    Show {
        /// Notice id
        id: NoticeId,
    },
    /// Retry deferred or abandoned notices now and reset their attempt counts
    Retry {
        /// Notice ids
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<NoticeId>,
        /// Retry all notices with a failed attempt
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Show sample emails as a member would receive them
    Preview(Preview),
}

pub(super) async fn run(context: &Context, command: &NoticesCommand) -> anyhow::Result<Completion> {
    match command {
        NoticesCommand::List(filter) => list::list(context, filter.member.as_ref()).await,
        NoticesCommand::Show { id } => show::show(context, id).await,
        NoticesCommand::Retry { ids, all } => retry::retry(context, ids, *all).await,
        NoticesCommand::Preview(arguments) => preview::preview(context, arguments),
    }
}
