use super::{check_of_database, expire, until_readiness};
use crate::fault_rows::{self, expect_row};
use crate::harness::{Home, mails, simulator, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation};
use serde_json::json;
use std::time::Duration;

const MEMBERS: [&str; 3] = ["alice", "bob", "carol"];
/// As long as tokens were kept once before they were given up.
const LONG: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_costs_no_token_and_no_email_and_the_daemon_goes_on_when_there_is_space() {
    let simulator = simulator(0).await;
    simulator.world().configure(|settings| (settings.rotate, settings.access_token_lifetime) = (true, 1));
    let Some(mut home) = Home::new(&simulator).on_small_disk(8) else { return };
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&MEMBERS).await;
    let daemon = home.daemon().await;
    until_true("the first sweep", async || home.json(&["connections", "list"]).await.len() == 9).await;
    let log = || daemon.running.stderr();

    // A renewal is under way when the disk gets full.
    simulator.world().add_fault(Fault::new(FaultKind::Delay { ms: 1_000 }).on(Operation::Refresh));
    simulator.world().reset_requests();
    let is_asked = async || simulator.world().request_count(Operation::Refresh) > 0;
    until_true("a renewal", is_asked).await;
    home.disk().fill();
    expire(&simulator, "alice");
    until_readiness(&daemon, 503, "database_not_writable").await;
    let spent = || log().contains("event=\"refreshed_tokens_not_stored\"");
    until_true("a token that cannot be stored", async || spent()).await;
    tokio::time::sleep(LONG).await;
    let (level, message) = check_of_database(&home).await;
    assert!(level == "failed" && message.contains("full"), "{message}");
    home.run(&["backup", "disk/copy.db"]).await.badly(1, &["full"]);
    home.run(&["status"]).await.well();
    assert_eq!(simulator.mailbox().received(), 0);
    assert!(log().contains("reason=\"database_full\""), "{}", log());
    let lines = log().lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).count();
    assert!(lines < 40, "a flood of {lines} lines: {}", log());
    expect_row(
        "SQLite: the disk is full",
        fault_rows::GOES_ON,
        "database_not_writable",
        ("refreshed_tokens_not_stored", &log()),
    );

    simulator.world().clear_faults();
    home.disk().free();
    mails(&simulator, 1).await;
    until_readiness(&daemon, 200, "ready").await;
    let is_complete = async || home.json(&["status"]).await[0]["last_sweep"]["complete"] == json!(true);
    until_true("a complete sweep", is_complete).await;
    for _ in 0..2 {
        home.run(&["members", "retry", "--all"]).await.well();
    }
    home.run(&["backup", "copy.db"]).await.well();
    let ended = daemon.running.stopped().await.well();
    assert!(
        !ended.stderr.contains("event=\"credential_rejected\""),
        "a rotated token was lost: {}",
        ended.stderr
    );
    let credentials = home.json(&["members", "list"]).await;
    assert!(credentials.iter().all(|member| member["credential"] == "ok"), "{credentials:?}");
    assert_eq!(simulator.mailbox().received(), 1);
}
