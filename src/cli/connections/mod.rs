//! `connections …`: lists connections, and calls the gateway's own operations on behalf of one member.

mod args;
mod disconnect;
mod establish;
mod list;
mod password;
mod reconnect;
mod row;
mod sign_in;

use super::completion::Completion;
use super::context::Context;
use super::member_filter::MemberFilter;
use args::{ConnectionRef, CredentialArgs, DisconnectArgs};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum ConnectionsCommand {
    /// List connections: one member's from the gateway, or everyone's as last observed
    List(MemberFilter),
    /// Connect a member to a data source
    Establish {
        #[command(flatten)]
        connection: ConnectionRef,
        /// Integration type, if the gateway offers several; DIRECT needs no credentials
        #[arg(long, value_name = "TYPE")]
        integration_type: Option<String>,
        #[command(flatten)]
        credentials: CredentialArgs,
    },
    /// Disconnect a connection, without an email to the member
    Disconnect(DisconnectArgs),
    /// Repair a broken connection
    Reconnect {
        #[command(flatten)]
        connection: ConnectionRef,
        #[command(flatten)]
        credentials: CredentialArgs,
    },
    /// Delete a connection and its records, without an email to the member
    Delete(DisconnectArgs),
}

pub(super) async fn run(context: &Context, command: &ConnectionsCommand) -> anyhow::Result<Completion> {
    match command {
        ConnectionsCommand::List(MemberFilter { member: Some(member) }) => {
            list::list_current(context, member).await
        }
        ConnectionsCommand::List(MemberFilter { member: None }) => list::list_stored(context).await,
        ConnectionsCommand::Establish { connection, integration_type, credentials } => {
            establish::establish(context, connection, integration_type.as_deref(), credentials).await
        }
        ConnectionsCommand::Reconnect { connection, credentials } => {
            reconnect::reconnect(context, connection, credentials).await
        }
        ConnectionsCommand::Disconnect(arguments) => disconnect::disconnect(context, arguments).await,
        ConnectionsCommand::Delete(arguments) => disconnect::delete(context, arguments).await,
    }
}
