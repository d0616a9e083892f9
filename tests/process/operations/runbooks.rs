//! The commands of the runbooks in `SECURITY.md` work as they are written there.

use super::bench::Bench;
use crate::harness::{Ended, Running};
use serde_json::json;

const SECURITY: &str = include_str!("../../../SECURITY.md");

/// The commands of the section, for this machine: its own folder, and the simulator's member. Services are left out.
fn commands(heading: &str, bench: &Bench) -> String {
    let section = SECURITY.split("\n### ").find(|section| section.starts_with(heading)).expect("the heading");
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("commands");
    let lines = block.lines().filter(|line| !line.starts_with("systemctl "));
    let folder = format!("{}/", bench.home.path("").display().to_string().trim_end_matches('/'));
    let script = lines.collect::<Vec<_>>().join("\n");
    script.replace("m-17", "alice").replace("/etc/credstore/", &folder)
}

/// Runs the commands of the section in a shell that stops at the first failure.
async fn follow(heading: &str, bench: &Bench) -> Ended {
    let mut shell = bench.home.program_named("sh");
    let program = env!("CARGO_BIN_EXE_reconnectd");
    let script = format!(
        "export RECONNECTD_CONFIG=reconnectd.toml\nreconnectd() {{ '{program}' \"$@\"; }}\n{}",
        commands(heading, bench)
    );
    shell.args(["-euc", &script]);
    Running::start(shell).ended().await.well()
}

/// alice has been emailed about her broken connection.
async fn emailed() -> Bench {
    let bench = Bench::new().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.pass().await;
    bench.pass().await;
    assert_eq!(bench.sim.mailbox().received(), 1);
    bench
}

#[tokio::test]
async fn the_runbook_for_a_leaked_link_ends_it_and_sends_a_new_one() {
    let bench = emailed().await;
    let ran = follow("A link has leaked", &bench).await;
    assert!(ran.stdout.contains("EXPIRED"), "{}", ran.stdout);
    let revoked = bench.json("links revoke --member alice").await;
    assert_eq!(
        revoked,
        [json!({ "member_id": "alice", "links": 0, "unsubscribe_links": 0 })],
        "nothing is left"
    );
    bench.pass().await;
    assert_eq!(bench.sim.mailbox().received(), 2);
}

#[tokio::test]
async fn the_runbook_for_a_leaked_key_ring_leaves_nothing_under_the_old_key() {
    let bench = emailed().await;
    let fresh = ["alice", "bob"].map(|member| {
        json!({ "member_id": member, "refresh_token": bench.sim.world().refresh_token(member).unwrap() })
            .to_string()
    });
    bench.home.write("fresh-tokens.jsonl", &fresh.join("\n"));
    follow("The key ring has leaked", &bench).await;
    bench.pass().await;
    let members = bench.json("members list").await;
    assert!(
        members.iter().all(|row| row["credential"] == "ok" && row["unclear_reason"].is_null()),
        "{members:?}"
    );
    assert!(bench.home.path("leaked.keys").exists());
}

#[tokio::test]
async fn the_runbook_for_a_wrong_address_sends_a_link_to_the_right_one() {
    let bench = emailed().await;
    follow("An email went to a wrong address", &bench).await;
    bench.pass().await;
    let emails = bench.sim.mailbox().mails();
    assert_eq!(emails.len(), 2);
    assert_eq!(emails[1].to, ["right@example.org"]);
    assert_eq!(bench.json("members show alice").await[0]["credential"], "ok", "the token stays");
}

#[tokio::test]
async fn the_runbook_for_an_erasure_request_leaves_nothing() {
    let mut bench = emailed().await;
    // The log names the addresses that the daemon listens on.
    bench.home.set("telemetry.log", "info");
    let daemon = bench.home.daemon().await;
    follow("A member asks to be erased", &bench).await;
    let members = bench.json("members list").await;
    assert_eq!(members.iter().map(|row| &row["member_id"]).collect::<Vec<_>>(), [&json!("bob")]);
    for report in ["transitions", "lapses list", "notices list"] {
        assert!(bench.json(report).await.iter().all(|row| row["member_id"] != "alice"), "{report}");
    }
    for (file, content) in bench.home.database_files() {
        let found = content.windows(5).any(|bytes| bytes == b"alice");
        assert!(!found, "{file} holds the member");
    }
    daemon.running.stopped().await.well();
}
