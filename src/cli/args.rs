//! The commands. The arguments of a command family are in the family's file.

pub(super) mod preview;

use super::audit::AuditCommand;
use super::backup::BackupArgs;
use super::check::CheckArgs;
use super::config::ConfigCommand;
use super::connections::ConnectionsCommand;
use super::database::DatabaseCommand;
#[cfg(feature = "sim")]
use super::demo::DemoArgs;
use super::disclosures::DisclosuresArgs;
use super::events::EventsCommand;
use super::hold::HoldCommand;
use super::keys::KeysCommand;
use super::lapses::LapsesCommand;
use super::links::LinksCommand;
use super::member_filter::MemberFilter;
use super::members::MembersCommand;
use super::notices::NoticesCommand;
use super::replay::ReplayArgs;
use super::restore::RestoreArgs;
#[cfg(feature = "sim")]
use super::simulate::SimulateArgs;
use super::sources::SourcesCommand;
use super::suppress::SuppressCommand;
use super::tokens::TokensCommand;
use super::why::WhyArgs;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Watches members' health-data connections and asks members to reconnect the broken ones.
///
/// Exit codes: 0 done, 1 failed, 2 usage or configuration error, 3 done but incomplete (some members are unclear or were
/// skipped, or email is waiting for the mail server).
#[derive(Debug, Parser)]
#[command(name = "reconnectd", version, max_term_width = 100)]
pub(super) struct Cli {
    /// Configuration file [default: /etc/reconnectd/reconnectd.toml if it exists, else built-in defaults]
    // Unlike the parser of paths, this one accepts an empty variable, which names no file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "RECONNECTD_CONFIG",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(super) config: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon: scheduler, delivery, public pages, admin
    Run,
    /// Sweep, plan, and deliver what is due, then exit
    Once,
    /// Run the whole flow on this machine with no setup: simulated gateway, mailbox, daemon
    #[cfg(feature = "sim")]
    Demo(DemoArgs),
    /// Run only the simulated gateway and mailbox, for trying a configuration
    #[cfg(feature = "sim")]
    Simulate(SimulateArgs),
    /// Check configuration, database, keys, gateway, SMTP, templates, and public URL
    Check(CheckArgs),
    /// Print the effective configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage the key ring that encrypts credentials
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Enroll and manage members
    #[command(subcommand)]
    Members(MembersCommand),
    /// List and manage members' connections
    #[command(subcommand)]
    Connections(ConnectionsCommand),
    /// List observed status changes
    Transitions(MemberFilter),
    /// List lapses
    #[command(subcommand)]
    Lapses(LapsesCommand),
    /// List, show, retry, and preview notices
    #[command(subcommand)]
    Notices(NoticesCommand),
    /// Show why a member did or did not get an email, and when the next one comes
    Why(WhyArgs),
    /// List what an address received, and which pages were opened with its links
    Disclosures(DisclosuresArgs),
    /// Show what another policy would have sent, next to what was sent
    Replay(ReplayArgs),
    /// Hold back email, by source, member, or status
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Manage the events for your own systems
    #[command(subcommand)]
    Events(EventsCommand),
    /// Manage addresses that must not receive email
    #[command(subcommand)]
    Suppress(SuppressCommand),
    /// List data sources
    #[command(subcommand)]
    Sources(SourcesCommand),
    /// Show how links are used
    #[command(subcommand)]
    Links(LinksCommand),
    /// Copy the database to a new file and verify the copy, while the daemon runs (SQLite)
    ///
    /// The copy is a snapshot. It gets its name when it is complete and on the disk. A relative path starts at the working
    /// directory. The key ring is not part of it.
    Backup(BackupArgs),
    /// Put a backup in the place of the configured database, and hold all email (SQLite)
    ///
    /// The daemon must not run, and there must be no database in that place: move it away first, with its -wal and -shm
    /// files. The backup is verified, copied, and brought to this version.
    ///
    /// Emails were sent after the backup that it does not know. So all email is held, whatever it is about, until you run
    /// `hold release`.
    Restore(RestoreArgs),
    /// Copy the database to another file or server
    #[command(subcommand)]
    Database(DatabaseCommand),
    /// Create tokens for the admin API and the dashboard
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Show what operators did
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show the fleet at a glance
    Status,
    /// Print the completions for a shell
    Completions { shell: Shell },
    /// Write a manual page for each command into a directory
    Man {
        /// Created if needed; pages of the same names are replaced
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[cfg(test)]
mod tests;
