use super::bench::Bench;
use super::invitations::Running;
use reconnectd::sim::TestBrowser;
use serde_json::json;

#[tokio::test]
async fn visits_up_to_the_daemon_s_end_are_counted_by_domain_and_the_funnel_is_shown() {
    let bench = Bench::new().await;
    bench.pass().await;
    let daemon = Running::start(&bench).await;
    let of = async |member: &str| {
        daemon.here(&bench.done(&format!("connections establish kaiser --member {member} --show")).await)
    };
    let (looked_at, pressed) = (of("alice").await, of("bob").await);
    let person = TestBrowser::new().unwrap();
    assert_eq!(person.open(&looked_at).await.unwrap().status, 200);
    assert_eq!(person.press(&pressed, &[]).await.unwrap().status, 303, "nobody has looked at this one");
    daemon.stop().await;

    let counted = |domain: &str| {
        json!({
            "domain": domain, "looks_machine": 0, "looks_person": 1, "presses_machine": 1, "presses_person": 0,
        })
    };
    assert_eq!(
        bench.json("visits").await,
        [counted("other")],
        "two members are too few to name their domain"
    );
    bench.enrol(&["m1", "m2", "m3"], false).await;
    assert_eq!(bench.json("visits --since 1d").await, [counted("example.org")]);
    let table = bench.done("visits").await;
    assert!(
        table.starts_with("DOMAIN") && !table.contains("max_redemptions"),
        "one press is no pattern: {table}"
    );
    assert_eq!(bench.run("visits --since yesterday").await.code, 2);

    let status = &bench.json("status").await[0];
    let funnel = json!({ "lapsed": 0, "noticed": 0, "opened": 0, "redeemed": 0, "recovered": 0 });
    assert_eq!(status["funnel"], funnel);
    let status = bench.done("status").await;
    assert!(status.contains("0 lapsed, 0 noticed, 0 opened, 0 redeemed, 0 recovered"), "{status}");
}

#[tokio::test]
async fn before_anybody_visits_there_is_nothing_to_show() {
    let bench = Bench::new().await;
    assert_eq!(bench.done("visits").await.trim(), "no visits");
    assert!(bench.json("visits").await.is_empty());
}
