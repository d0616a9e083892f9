//! `demo`: the whole flow on this machine, with no setup.

mod setup;
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
}

pub(super) async fn demo(arguments: &DemoArgs) -> anyhow::Result<Completion> {
    let once = arguments.once;
    let stop = stop_signal()?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let simulator = Simulator::start(Options {
        listen: setup::preferred(8081, once),
        smtp: setup::preferred(2525, once),
        clock: Clock::System,
        ..Options::default()
    })
    .await?;
    let config = setup::configuration(folder.path(), &simulator, once)?;
    telemetry::init(&config.telemetry)?;
    let public_url = config.links.public_url.clone();
    let app = App::with_keyring(config, Clock::System, Keyring::ephemeral()).await?;
    setup::enroll(&app).await?;
    let daemon = Daemon::start(app.clone(), Some(telemetry::metrics::install()?)).await?;
    let admin = daemon.admin_addr;
    let shutdown = CancellationToken::new();
    let mut running = tokio::spawn(daemon.run(shutdown.clone()));

    let result = if once {
        tokio::select! {
            result = story::play(&simulator, &app.store) => result,
            ended = &mut running => bail!("the daemon stopped: {:?}", ended?.err()),
            () = stop.cancelled() => bail!("interrupted"),
        }
    } else {
        print_addresses(&simulator, &public_url, admin)?;
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = &mut running => bail!("the daemon stopped: {:?}", ended?.err()),
        }
    };
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
    outln!("  metrics       http://{admin}/metrics\n");
    outln!("Press Ctrl-C to stop. Nothing is saved.");
    Ok(())
}
