//! `simulate`: the simulated gateway and mailbox alone, to try a real configuration against.

use super::args::Simulate;
use super::completion::Completion;
use super::run;
use crate::base::clock::Clock;
use crate::sim::{Options, Simulator};

/// Import lines printed at the most; there are as many more as were asked for.
const PRINTED: usize = 10;

/// `simulate --listen ADDR --smtp ADDR [--members N]`, until it is asked to end.
pub(super) async fn simulate(arguments: &Simulate) -> anyhow::Result<Completion> {
    let stop = run::stop_signal()?;
    let options = Options {
        listen: arguments.listen,
        smtp: arguments.smtp,
        members: arguments.members,
        clock: Clock::System,
        ..Options::default()
    };
    let mut simulator = Simulator::start(options).await?;
    let (base, smtp) = (simulator.base_url().to_owned(), simulator.smtp_addr());
    println!("# The simulated gateway and mailbox run.");
    println!("#   control page  {base}/");
    println!("#   mailbox       {base}/mail");
    println!("#\n# Configuration to use against them:\n");
    println!("[gateway]\nurl = \"{}\"\nclient_key = \"any\"\n", simulator.gateway_url());
    println!("[email.smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n", smtp.ip(), smtp.port());
    println!("# Members to import (`reconnectd members import members.jsonl`):\n");
    let world = simulator.world();
    let population = world.population();
    for number in (0..population).take(PRINTED) {
        let id = world.member_id(number);
        println!("{}", world.import_line(&id));
    }
    if population as usize > PRINTED {
        println!("# … {population} in all: curl {base}/control/members.jsonl");
    }
    tokio::select! {
        () = stop.cancelled() => {}
        failed = simulator.failed() => return Err(failed.into()),
    }
    simulator.shutdown().await?;
    Ok(Completion::Complete)
}
