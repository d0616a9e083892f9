use super::bench::Bench;
use crate::harness::until_true;
use serde_json::{Value, json};

fn row(member: &str, paused: bool, changed: bool) -> Value {
    json!({ "member_id": member, "paused": paused, "changed": changed })
}

#[tokio::test]
async fn members_are_paused_and_resumed_beside_the_daemon() {
    let mut bench = Bench::new().await;
    bench.home.set("sweep.schedule", "* * * * * *").set("telemetry.log", "info");
    let daemon = bench.home.daemon().await;
    until_true("the first sweep", async || bench.json("connections list").await.len() == 6).await;

    let paused = bench.json("members pause alice bob alice").await;
    assert_eq!(paused, [row("alice", true, true), row("bob", true, true)]);
    assert_eq!(bench.json("members pause bob").await, [row("bob", true, false)]);
    assert_eq!(bench.json("members resume bob").await, [row("bob", false, true)]);
    let shown = bench.json("members show alice").await.remove(0);
    assert_eq!(shown["paused"], true);
    let text = bench.done("members show alice").await;
    assert!(text.lines().any(|line| line.starts_with("paused") && line.ends_with("yes")), "{text}");

    for member in ["alice", "bob"] {
        bench.sim.world().set_status(member, "epic", "EXPIRED").unwrap();
    }
    until_true("bob's email", async || bench.sim.mailbox().mails().len() == 1).await;
    assert_eq!(bench.sim.mailbox().mails()[0].to, ["bob@example.org"]);
    assert!(bench.json("lapses list --member alice").await.is_empty(), "a paused member is not polled");

    assert_eq!(bench.json("members resume alice").await, [row("alice", false, true)]);
    until_true("alice's email", async || bench.sim.mailbox().mails().len() == 2).await;
    assert_eq!(bench.sim.mailbox().mails()[1].to, ["alice@example.org"]);
    daemon.running.stopped().await.well();
}

#[tokio::test]
async fn pause_and_resume_say_what_happened_and_name_unknown_members() {
    let bench = Bench::new().await;
    for verb in ["pause", "resume"] {
        let error = bench.fails(1, &format!("members {verb} alice nobody")).await;
        assert!(error.contains("no member nobody") && error.contains("members list"), "{error}");
        bench.fails(2, &format!("members {verb}")).await;
    }
    assert_eq!(bench.json("members show alice").await[0]["paused"], false);
    let said = [
        ("members resume alice", "alice was not paused\n"),
        ("members pause alice", "alice paused: no polls and no email until `members resume`\n"),
        ("members pause alice", "alice was paused already\n"),
        (
            "members resume alice",
            "alice resumed: the next sweep polls them, and unsent notices are planned again\n",
        ),
    ];
    for (line, text) in said {
        assert_eq!(bench.done(line).await, text);
    }
}

#[tokio::test]
async fn an_invitation_to_a_paused_member_is_refused_and_says_what_else_to_do() {
    let bench = Bench::new().await;
    bench.done("members pause alice").await;
    let refused = bench.fails(1, "connections establish kaiser --member alice --send").await;
    assert!(refused.contains("--show") && refused.contains("members resume alice"), "{refused}");
}
