//! `demo`: the whole flow on this machine, with no setup.

mod setup;
mod steps;
mod storm;
mod story;

use super::completion::Completion;
use super::output::outln;
use super::signals::stop_signal;
use crate::base::clock::Clock;
use crate::base::telemetry;
use crate::credentials::keyring::Keyring;
use crate::server::Daemon;
use crate::server::components::App;
use crate::sim::{Options, Simulator};
use anyhow::{Context, bail};
use clap::Args;
use std::io;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use url::Url;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Play the flow through once, then exit
    #[arg(long)]
    once: bool,
    /// Play a storm: many connections of one source break at once
    #[arg(long)]
    storm: bool,
}

pub(super) async fn demo(arguments: &DemoArgs) -> anyhow::Result<Completion> {
    let (once, storm_members) = (arguments.once, if arguments.storm { setup::STORM_MEMBERS } else { 0 });
    let stop = stop_signal()?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let simulator = Simulator::start(Options {
        listen: setup::preferred(8081, once),
        smtp: setup::preferred(2525, once),
        clock: Clock::System,
        members: storm_members,
        ..Options::default()
    })
    .await?;
    let config = setup::configuration(folder.path(), &simulator, once)?;
    telemetry::init(&config.telemetry)?;
    let (public_url, drip_per_minute) = (config.links.public_url.clone(), config.storm.drip_per_minute);
    let app = App::with_keyring(config, Clock::System, Keyring::ephemeral()).await?;
    if arguments.storm {
        let (member, source) = setup::ORDINARY;
        simulator.world().set_status(member, source, "CONNECTED")?;
    }
    setup::enroll(&app, storm_members).await?;
    let daemon = Daemon::start(app.clone(), Some(telemetry::MetricsPage::install()?)).await?;
    let admin = daemon.admin_addr;
    let shutdown = CancellationToken::new();
    let mut running = tokio::spawn(daemon.run(shutdown.clone()));

    let play = async {
        match (arguments.storm, once) {
            (true, _) => storm::play(&simulator, &app.store, drip_per_minute).await,
            (false, true) => story::play(&simulator, &app.store).await,
            (false, false) => Ok(()),
        }
    };
    let mut result = tokio::select! {
        result = play => result,
        ended = &mut running => bail!("the daemon stopped: {:?}", ended?.err()),
        () = stop.cancelled() => bail!("interrupted"),
    };
    if result.is_ok() && !once {
        print_addresses(&simulator, &public_url, admin)?;
        result = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = &mut running => bail!("the daemon stopped: {:?}", ended?.err()),
        };
    }
    shutdown.cancel();
    running.await??;
    simulator.shutdown().await?;
    result.map(|()| Completion::Complete)
}

fn print_addresses(simulator: &Simulator, public_url: &Url, admin: SocketAddr) -> io::Result<()> {
    outln!("reconnectd is running on this machine, with a simulated gateway and mailbox.\n");
    outln!("  control page  {}/       expire a connection here", simulator.base_url());
    outln!("  mailbox       {}/mail   the notice arrives here; open its link", simulator.base_url());
    outln!("  member pages  {public_url}");
    outln!("  dashboard     http://{admin}/       log in with the token {}", setup::ADMIN_TOKEN);
    outln!("  metrics       http://{admin}/metrics\n");
    outln!("Press Ctrl-C to stop. Nothing is saved.");
    Ok(())
}
