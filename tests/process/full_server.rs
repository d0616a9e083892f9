//! A PostgreSQL server that has no connections left, and no space.

use crate::fault_rows::expect_failing_loop;
use crate::harness::{mails, until_true};
use crate::postgres::{PostgresServer, as_user};
use crate::servers::{readiness, until_ready, watching_all};
use reconnectd::{base::config::DatabaseUrl, store::testing::TestDatabase};
use serde_json::json;

/// Enough for the daemon and a command beside it.
const CONNECTIONS: u32 = 40;
/// Three times what the data and the log of a new server take.
const MEGABYTES: u32 = 192;
const MEMBERS: [&str; 2] = ["alice", "bob"];

/// All connections that the server gives to others than superusers.
async fn take_connections(url: &DatabaseUrl) -> Vec<TestDatabase> {
    let mut taken = Vec::new();
    while let Ok(connection) = TestDatabase::connect(url).await {
        taken.push(connection);
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_connections_and_then_without_space_costs_no_token_and_no_email() {
    let Some(server) = PostgresServer::start_small(CONNECTIONS, MEGABYTES) else { return };
    for statement in ["CREATE ROLE app LOGIN", "CREATE DATABASE app OWNER app"] {
        assert!(server.psql("postgres", statement), "{statement}");
    }
    let url = as_user(&server.url("app"), "app", "none");
    let (simulator, home) = watching_all(&url, &MEMBERS).await;
    simulator.world().configure(|settings| (settings.rotate, settings.access_token_lifetime) = (true, 1));

    let taken = take_connections(&url.parse().unwrap()).await;
    assert!(!taken.is_empty());
    // A service manager starts it again.
    home.run(&["run"]).await.badly(1, &["database.url: cannot reach", "connection slots"]);
    drop(taken);
    let daemon = home.daemon().await;
    until_ready(&daemon).await;

    let log = || daemon.running.stderr();
    assert!(server.psql("app", "CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT"));
    server.fill_disk();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let is_red = async || {
        let (status, body) = readiness(&daemon).await;
        status == 503 && body.starts_with("database_not_writable") && body.contains("(database_full)")
    };
    until_true("a full disk", is_red).await;
    expect_failing_loop("PostgreSQL: its disk is full", "database_not_writable", log).await;
    home.run(&["status"]).await.well();
    server.free_disk();
    mails(&simulator, 1).await;
    until_ready(&daemon).await;
    let is_complete = async || home.json(&["status"]).await[0]["last_sweep"]["complete"] == json!(true);
    until_true("a complete sweep", is_complete).await;
    let lines = log().lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).count();
    assert!(lines < 40, "a flood of {lines} lines: {}", log());
    daemon.running.stopped().await.well();
    let members = home.json(&["members", "list"]).await;
    assert!(members.iter().all(|member| member["credential"] == "ok"), "{members:?}");
    assert_eq!(simulator.mailbox().received(), 1);
}
