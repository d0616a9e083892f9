//! `simulate`: the simulated gateway and mailbox, for trying a configuration.

use super::completion::Completion;
use super::output::outln;
use super::signals::stop_signal;
use crate::base::clock::Clock;
use crate::sim::{Options, Simulator};
use clap::Args;
use std::net::SocketAddr;
use url::Url;

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Address of the simulated gateway
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Address of the simulated mail server
    #[arg(long, value_name = "ADDR")]
    smtp: SocketAddr,
    /// Number of members in addition to alice, bob, and carol: m1, m2, …
    #[arg(long, value_name = "N", default_value_t = 0)]
    members: u32,
}

/// The first members are printed as import lines; the rest can be downloaded.
const PRINTED: usize = 10;

/// Runs until a signal stops it.
pub(super) async fn simulate(arguments: &SimulateArgs) -> anyhow::Result<Completion> {
    let stop = stop_signal()?;
    let options = Options {
        listen: arguments.listen,
        smtp: arguments.smtp,
        members: arguments.members,
        clock: Clock::System,
        ..Options::default()
    };
    let mut simulator = Simulator::start(options).await?;
    let (base, smtp) = (simulator.base_url().to_owned(), simulator.smtp_addr());
    outln!("# The simulated gateway and mailbox are running.");
    outln!("#   control page  {base}/");
    outln!("#   mailbox       {base}/mail");
    outln!("#\n# Configuration:\n");
    outln!("[gateway]\nurl = \"{}\"\nclient_key = \"any\"", simulator.gateway_url());
    let host = Url::parse(&base)?.host_str().unwrap_or_default().to_owned();
    outln!("oauth_hosts = [{host:?}]           # its sign-in pages are on this machine\n");
    outln!("[email.smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n", smtp.ip(), smtp.port());
    outln!("# Members to import (`reconnectd members import members.jsonl`):\n");
    let world = simulator.world();
    let population = world.population();
    for number in (0..population).take(PRINTED) {
        let id = world.member_id(number);
        outln!("{}", world.import_line(&id));
    }
    if population as usize > PRINTED {
        outln!("# … {population} in total: curl {base}/control/members.jsonl");
    }
    tokio::select! {
        () = stop.cancelled() => {}
        failed = simulator.failed() => return Err(failed.into()),
    }
    simulator.shutdown().await?;
    Ok(Completion::Complete)
}
