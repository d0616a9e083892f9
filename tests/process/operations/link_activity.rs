use super::bench::Bench;
use super::invitations::Running;
use reconnectd::sim::TestBrowser;
use serde_json::json;

#[tokio::test]
async fn requests_until_the_daemon_ends_are_counted_by_domain() {
    let bench = Bench::new().await;
    bench.pass().await;
    let daemon = Running::start(&bench).await;
    let link_of = async |member: &str| {
        daemon.here(&bench.done(&format!("connections establish kaiser --member {member} --show")).await)
    };
    let (viewed, pressed) = (link_of("alice").await, link_of("bob").await);
    let browser = TestBrowser::new().unwrap();
    assert_eq!(browser.open(&viewed).await.unwrap().status, 200);
    assert_eq!(browser.post(&pressed, &[]).await.unwrap().states()[0], "ready", "a press needs the page");
    daemon.stop().await;

    let counted = |domain: &str| {
        json!({
            "domain": domain, "bot_views": 0, "human_views": 1, "bot_presses": 1, "human_presses": 0,
        })
    };
    assert_eq!(
        bench.json("links activity").await,
        [counted("other")],
        "two members are too few to name their domain"
    );
    bench.enrol(&["m1", "m2", "m3"], false).await;
    assert_eq!(bench.json("links activity --since 1d").await, [counted("example.org")]);
    let table = bench.done("links activity").await;
    assert!(
        table.starts_with("DOMAIN") && !table.contains("max_redemptions"),
        "one press needs no hint: {table}"
    );
    assert_eq!(bench.run("links activity --since yesterday").await.code, 2);

    let counts = ["lapsed", "noticed", "opened", "redeemed", "recovered", "recovered_unnoticed"];
    let status = bench.json("status").await;
    assert!(counts.iter().all(|count| status[0]["funnel"][count] == 0), "{status:?}");
}

#[tokio::test]
async fn without_requests_the_list_is_empty() {
    let bench = Bench::new().await;
    assert_eq!(bench.done("links activity").await.trim(), "no link activity");
    assert!(bench.json("links activity").await.is_empty());
}

#[tokio::test]
async fn revoked_links_show_that_they_were_replaced() {
    let bench = Bench::new().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.pass().await;
    bench.pass().await;
    let email = bench.sim.mailbox().mails().remove(0);
    let revoked = json!({ "member_id": "alice", "links": 1, "unsubscribe_links": 1 });
    assert_eq!(bench.json("links revoke --member alice").await, [revoked]);
    let daemon = Running::start(&bench).await;
    let browser = TestBrowser::new().unwrap();
    for (part, status, state) in [("/r/", 410, "replaced"), ("/u/", 404, "link_not_found")] {
        let link = email.links().into_iter().find(|link| link.contains(part)).unwrap();
        let page = browser.open(&daemon.here(&link)).await.unwrap();
        assert_eq!((page.status, page.states()), (status, vec![state]), "{part}");
    }
    assert_eq!(bench.run("links revoke --member nobody").await.code, 1);
}
