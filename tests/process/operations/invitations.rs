use super::bench::Bench;
use reconnectd::server::Daemon;
use reconnectd::sim::{Operation, TestBrowser};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The daemon, in this process, on the same database as the commands.
pub(crate) struct Running {
    links: SocketAddr,
    ending: CancellationToken,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) async fn start(bench: &Bench) -> Self {
        let daemon = Daemon::start(bench.app().await, None).await.unwrap();
        let (links, ending) = (daemon.links_addr, CancellationToken::new());
        Self { links, running: tokio::spawn(daemon.run(ending.clone())), ending }
    }

    /// The link as it is reached here, on a port that the configuration could not know.
    pub(crate) fn here(&self, link: &str) -> String {
        let link: reqwest::Url = link.trim().parse().expect("a link of the pages");
        format!("http://{}{}", self.links, link.path())
    }

    pub(crate) async fn stop(self) {
        self.ending.cancel();
        self.running.await.unwrap().unwrap();
    }
}

async fn connected(bench: &Bench, member: &str, source: &str) -> bool {
    let rows = bench.json(&format!("connections list --member {member}")).await;
    rows.iter().any(|row| row["connection_id"] == source && row["status"] == "CONNECTED")
}

#[tokio::test]
async fn a_shown_link_connects_a_source_that_never_was_and_works_once() {
    let bench = Bench::new().await;
    let daemon = Running::start(&bench).await;
    let person = TestBrowser::new().unwrap();
    let ran = bench.run("connections establish kaiser --member alice --show").await;
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{}", ran.err);
    assert!(ran.out.starts_with("http://127.0.0.1:8080/r/"), "{}", ran.out);
    let link = daemon.here(&ran.out);
    let asked = bench.sim.world().request_count(Operation::GetOauthUrl);
    for _ in 0..2 {
        let page = person.open(&link).await.unwrap();
        assert_eq!((page.status, page.has_button()), (200, true));
    }
    assert_eq!(bench.sim.world().request_count(Operation::GetOauthUrl), asked, "looking changes nothing");

    let pressed = person.press(&link, &[]).await.unwrap();
    assert_eq!(pressed.status, 303);
    assert_eq!(TestBrowser::new().unwrap().press(&link, &[]).await.unwrap().status, 410, "it was used");
    assert_eq!(bench.sim.world().request_count(Operation::GetOauthUrl), asked + 1);
    person.allow(&pressed.location.unwrap()).await.unwrap();
    assert!(connected(&bench, "alice", "kaiser").await);
    assert_eq!(bench.transitions("alice", "kaiser").await, [(serde_json::Value::Null, "CONNECTED".into())]);
    daemon.stop().await;
}

#[tokio::test]
async fn an_emailed_link_is_sent_immediately_and_repairs() {
    let bench = Bench::new().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let daemon = Running::start(&bench).await;
    let sent = &bench.json("connections reconnect epic --member alice --send").await[0];
    assert_eq!((&sent["status"], &sent["link"]), (&"EXPIRED".into(), &serde_json::Value::Null));
    let mails = tokio::time::timeout(Duration::from_secs(20), bench.sim.mailbox().wait_for(1)).await.unwrap();
    assert_eq!(mails[0].to, ["alice@example.org"]);
    let shown = &bench.json(&format!("notices show {}", sent["notice_id"].as_str().unwrap())).await[0];
    assert_eq!(shown["step"], 0);

    let link = mails[0].links().into_iter().find(|link| link.contains("/r/")).unwrap();
    let person = TestBrowser::new().unwrap();
    let pressed = person.press(&daemon.here(&link), &[]).await.unwrap();
    person.allow(&pressed.location.unwrap()).await.unwrap();
    assert!(connected(&bench, "alice", "epic").await);
    let page = person.open(&daemon.here(&link)).await.unwrap();
    assert!(!page.has_button(), "it works again");
    daemon.stop().await;
}

#[tokio::test]
async fn a_used_link_is_rechecked_until_the_source_is_connected() {
    let bench = Bench::new().await;
    bench.pass().await;
    let daemon = Running::start(&bench).await;
    let link = bench.done("connections establish kaiser --member alice --show").await;
    let person = TestBrowser::new().unwrap();
    let pressed = person.press(&daemon.here(&link), &[]).await.unwrap();
    assert_eq!(pressed.status, 303);
    let app = bench.app().await;
    let in_an_hour = app.clock.now() + chrono::TimeDelta::hours(1);
    let due = async || app.store.due_recheck(in_an_hour, &[]).await.unwrap().is_some();
    assert!(due().await);
    // A look meanwhile finds it not connected yet, and the early polls stay.
    bench.json("connections list --member alice").await;
    assert!(due().await);
    person.allow(&pressed.location.unwrap()).await.unwrap();
    bench.json("connections list --member alice").await;
    assert!(!due().await);
    daemon.stop().await;
}

#[tokio::test]
async fn a_link_used_without_success_can_be_requested_again_by_email() {
    let bench = Bench::new().await;
    bench.pass().await;
    let daemon = Running::start(&bench).await;
    let link = bench.done("connections establish kaiser --member alice --show").await;
    let person = TestBrowser::new().unwrap();
    person.press(&daemon.here(&link), &[]).await.unwrap();
    assert_eq!(person.press(&format!("{}/resend", daemon.here(&link)), &[]).await.unwrap().status, 200);
    let mails = tokio::time::timeout(Duration::from_secs(20), bench.sim.mailbox().wait_for(1)).await.unwrap();
    let again = mails[0].links().into_iter().find(|link| link.contains("/r/")).unwrap();
    assert!(person.open(&daemon.here(&again)).await.unwrap().has_button());
    daemon.stop().await;
}

#[tokio::test]
async fn disconnecting_withdraws_the_operators_links() {
    let bench = Bench::new().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let link = bench.done("connections reconnect epic --member alice --show").await;
    bench.json("connections reconnect epic --member alice --send").await;
    bench.status("connections disconnect epic --member alice --yes").await;
    let daemon = Running::start(&bench).await;
    let page = TestBrowser::new().unwrap().open(&daemon.here(&link)).await.unwrap();
    assert_eq!((page.status, page.has_button()), (404, false));
    let notices = bench.json("notices list").await;
    assert_eq!((notices.len(), &notices[0]["state"]), (1, &"cancelled".into()));
    daemon.stop().await;
    assert!(bench.sim.mailbox().mails().is_empty());
}
