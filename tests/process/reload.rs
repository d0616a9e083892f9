//! The configuration is loaded again while the daemon works.

use crate::harness::{Daemon, Home, PATIENCE, Running, mails, simulator, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

fn count(running: &Running, event: &str) -> usize {
    running.stderr().matches(&format!("event=\"{event}\"")).count()
}

/// Sends SIGHUP and waits until the configuration has been loaded again.
async fn reload(daemon: &Daemon) {
    let before = count(&daemon.running, "config_reloaded");
    daemon.running.signal("HUP");
    until_true("a reload", async || count(&daemon.running, "config_reloaded") > before).await;
}

async fn get(url: &str, token: Option<&str>) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let request = http.get(url);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Requests a page again and again, with connections that stay open and with new ones.
struct Visitors {
    requests: JoinSet<Vec<String>>,
    answered: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
}

impl Visitors {
    fn of(page: &str) -> Self {
        let (mut requests, answered, stop) = (JoinSet::new(), Arc::<AtomicU32>::default(), Arc::default());
        for number in 0..6 {
            let idle = if number % 2 == 0 { usize::MAX } else { 0 };
            let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(idle);
            let (http, page) = (http.build().unwrap(), page.to_owned());
            let (answered, stop) = (answered.clone(), Arc::<AtomicBool>::clone(&stop));
            requests.spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match http.get(&page).send().await {
                        Ok(response) if response.status() == 200 => {
                            match response.text().await {
                                Ok(page) if page.contains("</html>") => {
                                    answered.fetch_add(1, Ordering::Relaxed)
                                }
                                Ok(page) => {
                                    failures.push(page);
                                    0
                                }
                                Err(error) => {
                                    failures.push(format!("{error:?}"));
                                    0
                                }
                            };
                        }
                        Ok(response) => failures.push(response.status().to_string()),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                }
                failures
            });
        }
        Self { requests, answered, stop }
    }

    /// Stops them. Returns how many requests were answered, and what went wrong with the others.
    async fn leave(self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.requests.join_all().await.concat();
        (self.answered.load(Ordering::Relaxed), failures)
    }
}

#[tokio::test]
async fn reloads_under_load_lose_no_request_and_no_email_and_new_emails_follow_the_new_configuration() {
    let simulator = simulator(24).await;
    let world = simulator.world();
    let mut home = Home::new(&simulator);
    let write_subject = |home: &Home, version: u32| {
        fs::create_dir_all(home.path("own/en")).unwrap();
        home.write("own/en/base.subject", &format!("v{version} {{% block subject %}}{{% endblock %}}"));
    };
    write_subject(&home, 0);
    home.set("notices.templates", home.path("own").display().to_string())
        .set("sweep.confirm_sweeps", 1)
        .set("email.connections", 2)
        .set("links.requests_per_minute", 0);
    let names: Vec<_> = (1..=24).map(|number| format!("m{number}")).collect();
    let (first, later) = names.split_at(16);
    let members: Vec<_> = names.iter().map(String::as_str).chain(["alice"]).collect();
    home.enrol(&members).await;
    home.run(&["once"]).await.well();
    let daemon = home.daemon().await;
    world.set_status("alice", "epic", "EXPIRED").unwrap();
    let link = daemon.link(&mails(&simulator, 1).await[0]);
    let visitors = Visitors::of(&link);

    // A delivery takes a while, so that reloads find some under way.
    world.add_fault(Fault::new(FaultKind::Delay { ms: 500 }).on(Operation::GetOauthUrl));
    for member in first {
        world.set_status(member, "epic", "EXPIRED").unwrap();
    }
    mails(&simulator, 3).await;
    let mut under_way = 0;
    for version in 1..=4 {
        write_subject(&home, version);
        home.set("notices.expired.reminders", vec![format!("{version}d")]);
        under_way += usize::from(simulator.mailbox().received() < 17);
        reload(&daemon).await;
    }
    assert!(under_way >= 2, "the reloads came too late");
    mails(&simulator, 17).await;

    // Another cadence: nobody is told for an hour.
    home.set("notices.expired.first_after", "1h");
    reload(&daemon).await;
    for member in later {
        world.set_status(member, "epic", "EXPIRED").unwrap();
    }
    until_true("the lapses", async || {
        let states = home.database().await.texts("lapses", "state").await.unwrap();
        states.iter().filter(|state| *state == "open").count() == 25
    })
    .await;
    assert_eq!(simulator.mailbox().received(), 17);
    write_subject(&home, 5);
    home.set("notices.expired.first_after", "0s");
    reload(&daemon).await;
    let mails = mails(&simulator, 25).await;

    let (answered, failures) = visitors.leave().await;
    assert!(failures.is_empty(), "{failures:?}");
    assert!(answered > 100, "{answered} requests");
    let ended = daemon.running.stopped().await.well();
    let mut received: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in &mails {
        received.entry(mail.to[0].clone()).or_default().push(mail.subject().unwrap());
    }
    assert_eq!((simulator.mailbox().received(), received.len()), (25, 25), "one email to each");
    let version_of =
        |member: &String| received[&format!("{member}@example.org")][0].get(..2).map(str::to_owned);
    assert!(later.iter().all(|member| version_of(member).as_deref() == Some("v5")), "{received:?}");
    let versions: Vec<_> = first.iter().filter_map(version_of).collect();
    assert!(versions.iter().any(|one| one == "v0") && versions.iter().any(|one| one != "v0"), "{versions:?}");
    let changes = "changes=\"notices.expired.first_after\"";
    assert_eq!(ended.stderr.matches(changes).count(), 2, "{}", ended.stderr);
    assert!(!ended.stderr.contains("loop_failed") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_sweep_under_way_goes_on_under_the_new_configuration_and_counts_once() {
    let simulator = simulator(30).await;
    let world = simulator.world();
    let mut home = Home::new(&simulator);
    home.set("sweep.schedule", "0 0 0 1 1 *").set("gateway.max_in_flight", 2);
    let names: Vec<_> = (1..=30).map(|number| format!("m{number}")).collect();
    home.enrol(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world.add_fault(Fault::new(FaultKind::Delay { ms: 100 }).on(Operation::GetMemberConnections));
    let daemon = home.daemon().await;
    let asked = || world.request_count(Operation::GetMemberConnections);
    until_true("a few polls", async || asked() >= 4).await;
    home.set("gateway.max_in_flight", 1);
    reload(&daemon).await;
    assert!(asked() < 30, "the sweep was over");
    until_true("the end of the sweep", async || count(&daemon.running, "sweep_ended") > 0).await;
    assert_eq!(asked(), 30, "each member is polled once");
    assert_eq!(home.database().await.count("sweeps").await.unwrap(), 1);
    let ended = daemon.running.stopped().await.well();
    assert!(ended.stderr.contains("resumed=true") && ended.stderr.contains("members=30"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_changed_file_is_noticed_and_a_broken_one_is_reported_once_while_the_old_configuration_goes_on() {
    const TOKENS: [&str; 2] = ["the-first-token-of-the-operator-1", "the-second-token-of-the-operator"];
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    // As Kubernetes mounts a secret: the link to the folder is swapped.
    for (version, token) in TOKENS.iter().enumerate() {
        fs::create_dir(home.path(&format!("version-{version}"))).unwrap();
        home.write_secret(&format!("version-{version}/token"), token);
    }
    let point_to = |home: &Home, version: u8| {
        symlink(home.path(&format!("version-{version}")), home.path("new")).unwrap();
        fs::rename(home.path("new"), home.path("data")).unwrap();
    };
    point_to(&home, 0);
    symlink(home.path("data/token"), home.path("token")).unwrap();
    home.set("admin.token_file", home.path("token").display().to_string());
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    let page = |path: &str| format!("http://{}{path}", daemon.admin);
    let api = async |token| get(&page("/api/v1/status"), Some(token)).await.0;
    let metric = async || {
        let (_, text) = get(&page("/metrics"), None).await;
        text.lines()
            .find_map(|line| line.strip_prefix("reconnectd_config_last_reload_successful "))
            .map(str::to_owned)
    };
    until_true("the metric", async || metric().await.as_deref() == Some("1")).await;

    home.set("links.ttl", "sometime").set("email.smtp.ca_file", "nowhere.pem");
    let happened = async |event: &str| until_true(event, async || count(&daemon.running, event) > 0).await;
    happened("config_reload_failed").await;
    until_true("the metric", async || metric().await.as_deref() == Some("0")).await;
    assert_eq!(api(TOKENS[0]).await, 200);
    assert_eq!(get(&page("/healthz"), None).await.0, 200);
    let (ready, state) = get(&page("/readyz"), None).await;
    assert_eq!(ready, 200, "{state}");

    home.set("links.ttl", "3d").set("email.smtp.ca_file", "").set("links.listen", "127.0.0.1:1");
    happened("config_reloaded").await;
    until_true("the metric", async || metric().await.as_deref() == Some("1")).await;
    assert_eq!(count(&daemon.running, "config_reload_failed"), 1);
    point_to(&home, 1);
    until_true("the other token", async || daemon.running.stderr().contains("changes=\"admin.token\"")).await;
    assert_eq!((api(TOKENS[1]).await, api(TOKENS[0]).await), (200, 401));
    let (status, _) = get(&format!("http://{}/", daemon.links), None).await;
    assert_eq!(status, 200, "the listener is the old one");

    let log = daemon.running.stopped().await.well().stderr;
    let line = |event: &str| log.lines().find(|line| line.contains(event)).unwrap_or_default().to_owned();
    let failure = line("config_reload_failed");
    assert!(failure.contains("links.ttl") && failure.contains("trigger=\"content\""), "{failure}");
    assert!(line("restart_needed").contains("keys=\"links.listen\""), "{log}");
    assert!(TOKENS.iter().all(|token| !log.contains(token)), "{log}");
}

#[tokio::test]
async fn the_log_level_changes_and_a_shutdown_during_a_reload_ends_well() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("telemetry.log", "warn,reconnectd::server=info").enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    home.set("telemetry.log", "info");
    reload(&daemon).await;
    until_true("news of a sweep", async || count(&daemon.running, "sweep_ended") > 0).await;
    home.set("telemetry.format", "json");
    daemon.running.signal("HUP");
    until_true("JSON", async || daemon.running.stderr().lines().any(|line| line.starts_with('{'))).await;
    for _ in 0..20 {
        daemon.running.signal("HUP");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = daemon.running.stopped().await.well();
    assert!(!ended.stderr.contains("ERROR"), "{}", ended.stderr);
}
