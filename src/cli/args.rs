//! The commands and their arguments.

mod preview;

use crate::domain::{ConnectionId, EmailAddress, MemberId, NoticeId};
use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand};
pub(super) use preview::{Part, Preview};
#[cfg(feature = "sim")]
use std::net::SocketAddr;
use std::path::PathBuf;

/// Nothing is looked back at for longer.
const LONGEST: TimeDelta = TimeDelta::days(3650);

/// Watches members' health-data connections and gets the broken ones reconnected.
///
/// Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 done but incomplete (some members unclear, or mails left).
#[derive(Debug, Parser)]
#[command(name = "reconnectd", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// The configuration [default: /etc/reconnectd/reconnectd.toml if it is there, else built-in defaults]
    #[arg(long, global = true, value_name = "FILE", env = "RECONNECTD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Report one JSON object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon: scheduler, delivery, public pages, admin
    Run,
    /// Make one pass, then exit: sweep, plan, deliver what is due
    Once,
    /// Show the whole story on this machine, with nothing to set up
    #[cfg(feature = "sim")]
    Demo {
        /// Play it through and end
        #[arg(long)]
        once: bool,
    },
    /// Run the simulated gateway and mailbox alone, to try a configuration against
    #[cfg(feature = "sim")]
    Simulate(Simulate),
    /// Check configuration, database, keys, gateway, SMTP, templates and public URL
    Check {
        /// Prove the credentials with a token for this member [default: one whose credential is stored]
        #[arg(long, value_name = "ID")]
        member: Option<MemberId>,
        /// Send a test mail to this address
        #[arg(long, value_name = "ADDR")]
        send_test: Option<EmailAddress>,
    },
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage the key ring that seals credentials
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Enrol members and look after them
    #[command(subcommand)]
    Members(MembersCommand),
    /// Look at connections, and act on them for a member
    #[command(subcommand)]
    Connections(ConnectionsCommand),
    /// List the recorded changes of status
    Transitions(MemberFilter),
    /// Look at lapses
    #[command(subcommand)]
    Lapses(LapsesCommand),
    /// Look at notices
    #[command(subcommand)]
    Notices(NoticesCommand),
    /// Keep addresses from being mailed
    #[command(subcommand)]
    Suppress(SuppressCommand),
    /// Show how links are used
    #[command(subcommand)]
    Links(LinksCommand),
    /// Show the fleet at a glance
    Status,
}

/// `links`
#[derive(Debug, Subcommand)]
pub(crate) enum LinksCommand {
    /// Count link views and button presses by email domain, bots and people separately
    Activity {
        /// Start this long ago, at the beginning of that day (UTC)
        #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = since)]
        since: TimeDelta,
    },
}

fn since(text: &str) -> Result<TimeDelta, String> {
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    TimeDelta::from_std(span).ok().filter(|span| *span <= LONGEST).ok_or("longer than ten years".into())
}

/// `simulate`
#[cfg(feature = "sim")]
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Where the gateway listens
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Where the mail server listens
    #[arg(long, value_name = "ADDR")]
    pub(crate) smtp: SocketAddr,
    /// How many members there are besides alice, bob and carol: m1, m2, …
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) members: u32,
}

/// Narrows a list to one member.
#[derive(Debug, Args)]
pub(crate) struct MemberFilter {
    /// Only this member's
    #[arg(long, value_name = "ID")]
    pub(crate) member: Option<MemberId>,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective configuration, secrets masked
    Print,
}

/// `keys …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key ring
    Generate,
    /// Print the public half of the key that signs ID tokens for the token exchange, as a JSON Web Key Set
    Jwks,
}

/// `members …`
#[derive(Debug, Subcommand)]
pub(crate) enum MembersCommand {
    /// Enrol or update members from CSV or JSON Lines
    Import {
        /// A .csv, .jsonl, .ndjson or .json file; - for standard input
        file: PathBuf,
    },
    /// List the members
    List {
        /// Only unpaused members without a usable response for 24 hours
        #[arg(long)]
        unreachable: bool,
    },
    /// Poll members now whose credential was rejected, or who wait for another reason
    Retry {
        /// Member ids
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<MemberId>,
        /// All members who wait
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Show one member
    Show {
        /// Whom
        id: MemberId,
    },
    /// Stop watching a member
    Remove {
        /// Whom
        id: MemberId,
        /// Delete what is known of them, too
        #[arg(long)]
        erase: bool,
    },
}

/// `connections …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionsCommand {
    /// List the connections: one member's as they are now, or everyone's as last seen
    List(MemberFilter),
    /// Connect a member to a source
    Establish {
        /// Which connection.
        #[command(flatten)]
        which: ConnectionRef,
        /// How, at a gateway that knows several ways for one source; DIRECT needs no credentials
        #[arg(long, value_name = "TYPE")]
        integration_type: Option<String>,
        /// With what.
        #[command(flatten)]
        means: CredentialArgs,
    },
    /// Cut a connection; no mail comes of it
    Disconnect(DisconnectArgs),
    /// Repair a broken connection
    Reconnect {
        /// Which connection.
        #[command(flatten)]
        which: ConnectionRef,
        /// With what.
        #[command(flatten)]
        means: CredentialArgs,
    },
    /// Remove a connection and its data; no mail comes of it
    Delete(DisconnectArgs),
}

/// One connection of one member.
#[derive(Debug, Args)]
pub(crate) struct ConnectionRef {
    /// The data source's id
    pub(crate) connection: ConnectionId,
    /// Whose
    #[arg(long, value_name = "ID")]
    pub(crate) member: MemberId,
}

/// What a connection is made with: which of these are needed depends on the source.
#[derive(Debug, Args)]
pub(crate) struct CredentialArgs {
    /// The member's user name at the source
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Read their password from this file [default: ask for it on a terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read their password from standard input
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) password_stdin: bool,
    /// Where the member signs in: mail them a one-time link
    #[arg(long)]
    pub(crate) send: bool,
    /// Where the member signs in: print a one-time link, to hand on to them and to nobody else
    #[arg(long, conflicts_with = "send")]
    pub(crate) show: bool,
}

/// `connections disconnect` and `connections delete`
#[derive(Debug, Args)]
pub(crate) struct DisconnectArgs {
    /// Which connection.
    #[command(flatten)]
    pub(crate) which: ConnectionRef,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `lapses …`
#[derive(Debug, Subcommand)]
pub(crate) enum LapsesCommand {
    /// List the lapses
    List(MemberFilter),
}

/// `notices …`
#[derive(Debug, Subcommand)]
pub(crate) enum NoticesCommand {
    /// List the notices
    List(MemberFilter),
    /// Show one notice
    Show {
        /// Which
        id: NoticeId,
    },
    /// Try again now what was given up or put off, as if for the first time
    Retry {
        /// Which
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<NoticeId>,
        /// All notices of which an attempt has failed
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Show mails as a member would get them, with sample values
    Preview(Preview),
}

/// `suppress …`
#[derive(Debug, Subcommand)]
pub(crate) enum SuppressCommand {
    /// Send no more mail to an address; what is queued for it is cancelled
    Add {
        /// The address, of a member or not
        #[arg(value_name = "ADDR")]
        address: EmailAddress,
    },
    /// List who gets no mail, and since when: by members, for the addresses themselves are not kept
    List,
    /// Send mail to an address again, whoever asked for it not to be sent
    Remove {
        /// The address
        #[arg(value_name = "ADDR")]
        address: EmailAddress,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("reconnectd").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_contract_parses() {
        let lines = [
            "run",
            "once",
            "check",
            "check --send-test ops@example.org",
            "check --member alice",
            "config print",
            "keys generate",
            "keys jwks",
            "members import members.csv",
            "members import -",
            "members list",
            "members list --unreachable",
            "members retry alice bob",
            "members retry --all",
            "members show alice",
            "members remove alice",
            "members remove alice --erase",
            "connections list",
            "connections list --member alice",
            "connections establish epic --member alice --send",
            "connections establish labcorp --member alice --integration-type DIRECT",
            "connections establish basicins --member alice --username a --password-stdin",
            "connections reconnect basicins --member alice --username a --password-file p",
            "connections reconnect epic --member alice --show",
            "connections disconnect epic --member alice",
            "connections delete epic --member alice --yes",
            "transitions",
            "transitions --member alice",
            "lapses list",
            "lapses list --member alice",
            "notices list",
            "notices list --member alice",
            "notices show 0193",
            "notices retry 0193 0194",
            "notices retry --all",
            "notices preview",
            "notices preview --kind expired --locale es-MX --part eml --output expired.eml --count 1",
            "suppress add ada@example.org",
            "suppress list",
            "suppress remove ada@example.org",
            "status",
            "links activity",
            "links activity --since 7d",
        ];
        for line in lines {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[cfg(feature = "sim")]
    #[test]
    fn the_simulator_parses_and_needs_its_addresses() {
        for line in ["demo", "demo --once", "simulate --listen 127.0.0.1:0 --smtp [::1]:0 --members 5"] {
            assert!(parse(line).is_ok(), "{line}");
        }
        let error = parse("simulate --listen 127.0.0.1:0").unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::MissingRequiredArgument);
    }

    #[test]
    fn the_global_options_are_taken_before_and_after_the_command() {
        for line in ["--config x.toml --json members list", "members list --config x.toml --json"] {
            let cli = parse(line).unwrap();
            assert_eq!((cli.config, cli.json), (Some("x.toml".into()), true), "{line}");
        }
    }

    #[test]
    fn a_usage_error_exits_with_2() {
        let partings = ["connections disconnect epic", "connections delete --member alice"];
        let means = ["--send --show", "--password x", "--password-stdin --password-file p"]
            .map(|means| format!("connections establish epic --member alice {means}"));
        for line in partings.into_iter().chain(means.iter().map(String::as_str)) {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for line in ["notices preview --part pdf", "notices preview --count 0", "notices preview --count 101"]
        {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for line in [
            "",
            "fly",
            "members",
            "members show",
            "check --send-test nobody",
            "suppress add nobody",
            "notices retry",
            "notices retry 0193 --all",
            "run --fast",
            "links",
            "links activity --since ever",
            "links activity --since 11y",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
