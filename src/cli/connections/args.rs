//! Arguments that several commands of the family take.

use crate::domain::{ConnectionId, MemberId};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(in crate::cli) struct ConnectionRef {
    /// Id of the data source
    pub(super) connection: ConnectionId,
    /// Member id
    #[arg(long, value_name = "ID")]
    pub(super) member: MemberId,
}

/// The data source decides which of these are needed.
#[derive(Debug, Args)]
pub(in crate::cli) struct CredentialArgs {
    /// The member's user name at the source
    #[arg(long, value_name = "NAME")]
    pub(super) username: Option<String>,
    /// Read the member's password from this file [default: prompt for it on a terminal]
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// Read the member's password from standard input
    #[arg(long, conflicts_with = "password_file")]
    pub(super) password_stdin: bool,
    /// Email the member a one-time link (OAuth sources)
    #[arg(long)]
    pub(super) send: bool,
    /// Print a one-time link to give to the member and nobody else (OAuth sources)
    #[arg(long, conflicts_with = "send")]
    pub(super) show: bool,
}

impl CredentialArgs {
    pub(super) fn has_credentials(&self) -> bool {
        self.username.is_some() || self.password_file.is_some() || self.password_stdin
    }

    pub(super) fn wants_link(&self) -> bool {
        self.send || self.show
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DisconnectArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionRef,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(super) yes: bool,
}
