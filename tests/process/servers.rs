//! The daemon on a PostgreSQL server that ends, restarts, or hangs, and a daemon that does so itself.

use crate::harness::{Daemon, Home, PATIENCE, mails, simulator, until_true};
use crate::postgres::{self, PostgresServer};
use crate::tcp_proxy::TcpProxy;
use reconnectd::sim::Simulator;
use std::time::Duration;

/// Long enough for several sweeps.
const SOME_SWEEPS: Duration = Duration::from_secs(3);

/// Alice is enrolled, and her connections are known to work.
async fn watching(database: &str) -> (Simulator, Home) {
    watching_all(database, &["alice"]).await
}

pub(crate) async fn watching_all(database: &str, members: &[&str]) -> (Simulator, Home) {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("database.url", database).set("database.statement_timeout", "1s").set("sweep.confirm_sweeps", 1);
    home.enrol(members).await;
    home.run(&["once"]).await.well();
    (simulator, home)
}

fn expire(simulator: &Simulator) {
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
}

pub(crate) async fn readiness(daemon: &Daemon) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let answer = http.get(format!("http://{}/readyz", daemon.admin)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

pub(crate) async fn until_ready(daemon: &Daemon) {
    until_true("the daemon to be ready", async || readiness(daemon).await.0 == 200).await;
}

#[tokio::test]
async fn one_email_is_sent_however_often_the_daemon_is_killed() {
    let Some(database) = postgres::new_database_with_tables().await else { return };
    let (simulator, home) = watching(&database).await;
    expire(&simulator);
    for moment in ["transition", "notice queued", "outcome=\"sent\""] {
        let daemon = home.daemon().await;
        let log = || daemon.running.stderr();
        until_true(moment, async || log().contains(moment) || simulator.mailbox().received() > 0).await;
        assert_eq!(daemon.running.kill().signal, Some(9), "{moment}");
    }
    let daemon = home.daemon().await;
    mails(&simulator, 1).await;
    tokio::time::sleep(SOME_SWEEPS).await;
    daemon.running.stopped().await.well();
    assert_eq!(simulator.mailbox().received(), 1);
}

#[tokio::test]
async fn the_daemon_goes_on_after_a_restart_of_the_server() {
    let Some(mut server) = PostgresServer::start() else { return };
    assert!(server.psql("postgres", "CREATE DATABASE app"));
    let (simulator, home) = watching(&server.url("app")).await;
    let daemon = home.daemon().await;
    until_ready(&daemon).await;
    server.stop();
    expire(&simulator);
    let (status, body) = readiness(&daemon).await;
    assert!(status == 503 && body.starts_with("database_unavailable"), "{body}");
    assert_eq!(simulator.mailbox().received(), 0);
    server.resume();
    mails(&simulator, 1).await;
    until_ready(&daemon).await;
    tokio::time::sleep(SOME_SWEEPS).await;
    daemon.running.stopped().await.well();
    assert_eq!(simulator.mailbox().received(), 1);
}

#[tokio::test]
async fn no_email_is_sent_while_the_server_hangs() {
    let Some(database) = postgres::new_database_with_tables().await else { return };
    let proxy = TcpProxy::start(&database).await;
    let (simulator, home) = watching(&proxy.url()).await;
    let daemon = home.daemon().await;
    until_ready(&daemon).await;
    proxy.stall();
    expire(&simulator);
    let (status, body) = readiness(&daemon).await;
    assert!(status == 503 && body.starts_with("database_unavailable"), "{body}");
    tokio::time::sleep(SOME_SWEEPS).await;
    assert_eq!(simulator.mailbox().received(), 0);
    proxy.restore();
    mails(&simulator, 1).await;
    until_ready(&daemon).await;
    // As after a failover, which leaves the old connections without an end.
    proxy.strand();
    simulator.world().set_status("alice", "epic", "CONNECTED").unwrap();
    until_true("the recovery", async || {
        let lapses = home.json(&["lapses", "list"]).await;
        lapses.iter().all(|lapse| lapse["outcome"] == "recovered")
    })
    .await;
    until_ready(&daemon).await;
    tokio::time::sleep(SOME_SWEEPS).await;
    daemon.running.stopped().await.well();
    assert_eq!(simulator.mailbox().received(), 1);
}

#[tokio::test]
async fn the_daemon_ends_at_a_signal_while_the_server_hangs() {
    let Some(database) = postgres::new_database_with_tables().await else { return };
    let proxy = TcpProxy::start(&database).await;
    let (_simulator, home) = watching(&proxy.url()).await;
    let daemon = home.daemon().await;
    until_ready(&daemon).await;
    proxy.stall();
    tokio::time::sleep(SOME_SWEEPS).await;
    daemon.running.terminate();
    let ended = daemon.running.ended_within(Duration::from_secs(45)).await;
    assert_eq!(ended.signal, None, "{}", ended.stderr);
}
