//! A slow gateway, a slow mail server, bursts of page views, and clients that keep the listeners waiting, all at once: the
//! daemon's memory stays bounded, each loop goes on, and it ends in time. `RECONNECTD_TEST_LOAD` is the number of minutes;
//! in the suite, it is a few seconds.

mod samples;
mod slow_clients;

use crate::harness::{Daemon, Home, PATIENCE, mails, until_true};
use reconnectd::sim::{Fault, FaultKind, Options, Simulator, SmtpAction, SmtpFault, SmtpStage};
use reqwest::{Client, redirect};
use samples::Samples;
use std::{
    env,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::task::{JoinHandle, JoinSet};

/// What the deployments allow: `SHUTDOWN_DEADLINE`, and the time to close what is left.
const SHUTDOWN: Duration = Duration::from_secs(60);
const MEMBERS: u32 = 60;
/// The admin listener answers within this time, however busy the others are.
const HEALTHY: Duration = Duration::from_secs(10);
/// A debug build with all caches filled needs a fraction of it.
const MAX_MEMORY_KIB: u64 = 512 << 10;
const MAX_DESCRIPTORS: u64 = 1_000;
/// How often a daemon ends under the load.
const ENDS: u32 = 3;
/// In which a daemon has fewer than a hundred places for clients.
const FEW_DESCRIPTORS: u32 = 300;

struct Scale {
    lasts: Duration,
    gateway_delay: Duration,
    views: usize,
    slow_clients: usize,
    pause: Duration,
}

impl Scale {
    fn new() -> Self {
        match env::var("RECONNECTD_TEST_LOAD").ok() {
            None => Self {
                lasts: Duration::from_secs(12),
                gateway_delay: Duration::from_secs(2),
                views: 500,
                slow_clients: 60,
                pause: Duration::from_millis(500),
            },
            Some(minutes) => Self {
                lasts: Duration::from_secs(
                    60 * minutes.parse::<u64>().expect("RECONNECTD_TEST_LOAD: minutes"),
                ),
                gateway_delay: Duration::from_secs(10),
                views: 10_000,
                slow_clients: 300,
                pause: Duration::from_secs(5),
            },
        }
    }
}

struct Overload {
    scale: Scale,
    simulator: Simulator,
    daemon: Daemon,
    /// The path of a link.
    path: String,
    home: Home,
}

async fn overload() -> Overload {
    let scale = Scale::new();
    let simulator = Simulator::start(Options { members: MEMBERS, ..Options::default() }).await.unwrap();
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1)
        .set("links.requests_per_minute", 0)
        .set("links.trusted_proxies", 1)
        .set("notices.max_per_month", 1_000)
        .set("notices.recovered.enabled", true)
        .set("email.connections", 1);
    let members: Vec<String> = (1..=MEMBERS).map(|n| format!("m{n}")).collect();
    home.enrol(&members.iter().map(String::as_str).chain(["alice"]).collect::<Vec<_>>()).await;
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let daemon = home.daemon().await;
    let link = daemon.link(&mails(&simulator, 1).await[0]);
    let path = format!("/r/{}", link.rsplit('/').next().unwrap());
    // From now on, an email a second, and a slow gateway.
    simulator.mailbox().script(SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 1_000 }));
    let delay = FaultKind::Delay { ms: scale.gateway_delay.as_millis() as u64 };
    simulator.world().add_fault(Fault::new(delay));
    Overload { scale, simulator, daemon, path, home }
}

impl Overload {
    fn slow_clients(&self) -> [JoinSet<()>; 2] {
        let Self { daemon, scale, .. } = self;
        [
            slow_clients::keep(daemon.links, &self.path, scale.slow_clients),
            slow_clients::keep(daemon.admin, "/metrics", scale.slow_clients / 4),
        ]
    }

    fn burst(&self) -> JoinHandle<Vec<u16>> {
        tokio::spawn(burst(format!("http://{}{}", self.daemon.links, self.path), self.scale.views))
    }

    /// Breaks connections, or mends them, so that there is always email.
    fn toggle(&self, round: u64) {
        let status = if round.is_multiple_of(2) { "EXPIRED" } else { "CONNECTED" };
        for member in 1..=MEMBERS {
            self.simulator.world().set_status(&format!("m{member}"), "epic", status).unwrap();
        }
    }

    async fn admin(&self, path: &str) -> (u16, String, Duration) {
        let begun = Instant::now();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let response = client.get(format!("http://{}{path}", self.daemon.admin)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap(), begun.elapsed())
    }

    /// The daemon is ready, says so soon, and holds little.
    async fn expect_health(&self, samples: &mut Samples) {
        let (status, text, took) = self.admin("/readyz").await;
        assert_eq!(status, 200, "{text}");
        assert!(took < HEALTHY, "it took {took:?}");
        let sample = samples.take();
        assert!(sample.descriptors < MAX_DESCRIPTORS, "{sample:?}");
        assert!(samples.peak_kib() < MAX_MEMORY_KIB, "{samples}");
    }

    /// The time of a loop's last step.
    async fn last_step(&self, name: &str) -> String {
        let (_, ready, _) = self.admin("/readyz").await;
        let line = ready.lines().find(|line| line.starts_with(&format!("loop={name} "))).expect("a loop");
        line.split(' ').find_map(|word| word.strip_prefix("last_step_at=")).expect("a time").to_owned()
    }
}

/// Opens a link's page many times at once. Returns how many responses there were by status.
async fn burst(link: String, views: usize) -> Vec<u16> {
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .local_address(Some(Ipv4Addr::new(127, 0, 2, 1).into()))
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let mut all = Vec::new();
    let mut under_way = JoinSet::new();
    for n in 0..views {
        if n >= 200 {
            all.extend(under_way.join_next().await.map(Result::unwrap));
        }
        let request =
            client.get(&link).header("x-forwarded-for", format!("198.51.{}.{}", n / 250 % 250, n % 250));
        under_way.spawn(async move { request.send().await.map_or(0, |response| response.status().as_u16()) });
    }
    all.extend(under_way.join_all().await);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overloaded_daemon_stays_small_and_ready_and_ends_in_time() {
    let mut overload = overload().await;
    let Overload { scale, daemon, .. } = &overload;
    let mut slow_clients = overload.slow_clients();
    let mut before = Vec::new();
    const LOOPS: [&str; 4] = ["sweep", "plan", "deliver", "link_requests"];
    for name in LOOPS {
        before.push(overload.last_step(name).await);
    }
    let begun = Instant::now();
    let mut samples = Samples::of(daemon.running.id());
    let (mut round, mut sent) = (0, overload.simulator.mailbox().received());
    while begun.elapsed() < scale.lasts {
        overload.toggle(round);
        let views = overload.burst();
        while !views.is_finished() {
            overload.expect_health(&mut samples).await;
            tokio::time::sleep(scale.pause).await;
        }
        let views = views.await.unwrap();
        assert!(views.iter().all(|status| *status == 200), "each view has its page: {views:?}");
        // Two rounds later, all the emails of this one are out.
        for _ in 0..6 {
            tokio::time::sleep(scale.pause).await;
            overload.expect_health(&mut samples).await;
        }
        round += 1;
    }
    for (name, before) in LOOPS.into_iter().zip(before) {
        until_true(name, async || overload.last_step(name).await != before).await;
    }
    // On a busy machine, there were few rounds, and no connection stayed broken for long enough.
    overload.toggle(0);
    until_true("emails, one a second", async || overload.simulator.mailbox().received() > sent + 2).await;
    sent = overload.simulator.mailbox().received() - sent;
    if env::var_os("RECONNECTD_TEST_LOAD").is_some() {
        show(&samples, sent);
        samples.expect_flat();
    }
    for end in 1..=ENDS {
        let views = overload.burst();
        tokio::time::sleep(overload.scale.pause).await;
        overload.daemon.running.terminate();
        overload.daemon.running.ended_within(SHUTDOWN).await.well();
        views.abort();
        drop(slow_clients);
        if end == ENDS {
            break;
        }
        overload.daemon = overload.home.daemon().await;
        overload.toggle(u64::from(end));
        slow_clients = overload.slow_clients();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_is_served_while_slow_readers_from_many_addresses_want_all_places() {
    let simulator = Simulator::start(Options { members: 0, ..Options::default() }).await.unwrap();
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let daemon = home.daemon_with_descriptors(FEW_DESCRIPTORS).await;
    let readers = slow_clients::keep_reading(daemon.links, "/r/unknown", FEW_DESCRIPTORS as usize);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The daemon, too, still opens files and connections.
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let link = daemon.link(&mails(&simulator, 1).await[0]);
    for _ in 0..3 {
        let visitor = Client::builder().no_proxy().timeout(HEALTHY).build().unwrap();
        assert_eq!(visitor.get(&link).send().await.unwrap().status(), 200);
    }
    assert_eq!(readers.len(), FEW_DESCRIPTORS as usize);
    let ended = daemon.running.stopped().await.well();
    assert!(!ended.stderr.contains("event=\"connection_not_accepted\""), "{}", ended.stderr);
}

#[expect(clippy::print_stdout, reason = "the table of a long run")]
fn show(samples: &Samples, sent: u64) {
    println!("{samples}peak: {} KiB; {sent} emails", samples.peak_kib());
}
