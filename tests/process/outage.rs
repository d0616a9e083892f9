//! What an operator sees of an outage: the heartbeat, the log, the reports and the exit code.

use crate::harness::{Home, simulator, until, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation};
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Counts the requests to a heartbeat URL, and those to its `/fail`.
async fn heartbeats() -> (SocketAddr, Arc<AtomicU32>, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, failures) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (counted, failed) = (Arc::clone(&count), Arc::clone(&failures));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let counter = if request.starts_with(b"GET /fail ") { &failed } else { &counted };
                counter.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    (address, count, failures)
}

async fn last_sweep(home: &Home) -> Value {
    home.json(&["status"]).await.remove(0)["last_sweep"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_all_credentials_is_loud_once_and_never_looks_healthy() {
    let simulator = simulator(40).await;
    let world = simulator.world();
    world.configure(|settings| settings.access_token_lifetime = 1);
    let (address, beats, failures) = heartbeats().await;
    let mut home = Home::new(&simulator);
    home.set("telemetry.heartbeat_url", format!("http://{address}/")).set("telemetry.heartbeat_fail", true);
    let members: Vec<String> = (1..=40).map(|n| format!("m{n}")).collect();
    home.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let daemon = home.daemon().await;
    until_true("two heartbeats", async || beats.load(Ordering::SeqCst) >= 2).await;

    world.add_fault(Fault::new(FaultKind::GraphqlError { code: "login".into() }).on(Operation::Refresh));
    let stopped = async || {
        let sweep = last_sweep(&home).await;
        (sweep["ended_early_because"] == "most_refreshes_refused").then_some(sweep)
    };
    let first = until("a sweep to stop early", stopped).await;
    assert_eq!(first["complete"], false);
    let before = beats.load(Ordering::SeqCst);
    until("two sweeps more to stop early", async || {
        let sweep = stopped().await?;
        let log = daemon.running.stderr();
        (log.matches("sweep stopped early again").count() >= 2 && sweep != first).then_some(())
    })
    .await;
    assert_eq!(beats.load(Ordering::SeqCst), before, "a heartbeat went out during the outage");
    assert!(failures.load(Ordering::SeqCst) >= 2, "each sweep that stops early requests /fail");
    let log = daemon.running.stderr();
    let loud = log.lines().filter(|line| line.contains("ERROR") && line.contains("most_refreshes_refused"));
    assert_eq!(loud.count(), 1, "{log}");
    let status = home.json(&["status"]).await.remove(0);
    assert_eq!(status["credentials"]["rejected"], Value::Null, "{status}");
    assert!(status["unclear"]["credential_refused"].as_u64().unwrap() >= 10, "{status}");
    daemon.running.stopped().await.well();

    home.run(&["once"]).await.badly(3, &[]);
    world.clear_faults();
    home.run(&["once"]).await.well();
    assert_eq!(last_sweep(&home).await["complete"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_heartbeat_goes_on_while_few_members_are_unclear_or_skipped_and_ends_when_many_are() {
    let simulator = simulator(20).await;
    let world = simulator.world();
    let (address, beats, _) = heartbeats().await;
    let mut home = Home::new(&simulator);
    home.set("telemetry.heartbeat_url", format!("http://{address}/"));
    let members: Vec<String> = (1..=20).map(|n| format!("m{n}")).collect();
    home.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for member in &members[..2] {
        world.add_fault(Fault::new(FaultKind::NullData).on(Operation::GetMemberConnections).member(member));
    }
    let daemon = home.daemon().await;
    until_true("two heartbeats, with a tenth unclear", async || beats.load(Ordering::SeqCst) >= 2).await;
    assert_eq!(last_sweep(&home).await["complete"], false, "it is not complete");

    // Without a credential they are skipped, and with that more than a tenth is out of sight.
    home.write("more.jsonl", "{\"member_id\": \"x\", \"email\": \"x@example.org\"}\n");
    home.run(&["members", "import", "more.jsonl"]).await.well();
    let skipped = until("a sweep to skip a member", async || {
        let sweep = last_sweep(&home).await;
        (sweep["skipped"] == 1 && !sweep["finished_at"].is_null()).then_some(sweep)
    })
    .await;
    let before = beats.load(Ordering::SeqCst);
    until_true("two sweeps more", async || {
        let sweep = last_sweep(&home).await;
        sweep["started_at"].as_str() > skipped["finished_at"].as_str() && !sweep["finished_at"].is_null()
    })
    .await;
    assert_eq!(beats.load(Ordering::SeqCst), before, "a heartbeat went out with 3 of 21 out of sight");
    daemon.running.stopped().await.well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_retry_polls_those_who_wait_and_reports_each() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice", "bob", "carol"]).await;
    simulator.world().revoke("alice").unwrap();
    simulator.world().revoke("bob").unwrap();
    home.run(&["once"]).await.badly(3, &[]);
    let listed = home.json(&["members", "list"]).await;
    let credentials: Vec<_> = listed.iter().map(|row| row["credential"].as_str().unwrap()).collect();
    assert_eq!(credentials, ["rejected", "rejected", "ok"]);
    assert!(listed[2]["last_answer_at"].is_string() && listed[0]["last_answer_at"].is_null());
    assert_eq!(listed[0]["unclear_reason"], "credential_refused");

    home.run(&["members", "retry"]).await.badly(2, &[]);
    home.run(&["members", "retry", "nobody"]).await.badly(1, &["there is no member nobody"]);
    simulator.world().restore("alice").unwrap();
    home.run(&["members", "retry", "--all"]).await.badly(3, &[]);
    let ended = home.run(&["members", "retry", "--all", "--json"]).await.badly(3, &[]);
    let rows = ended.json();
    assert_eq!((&rows[0]["member_id"], &rows[0]["credential"]), (&"bob".into(), &"rejected".into()));
    assert_eq!(rows.len(), 1, "alice is fine again");
    simulator.world().restore("bob").unwrap();
    let rows = home.json(&["members", "retry", "bob"]).await;
    assert_eq!((&rows[0]["credential"], &rows[0]["unclear_reason"]), (&"ok".into(), &Value::Null));
    home.run(&["once"]).await.well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_proves_the_credentials_with_a_real_token_or_says_that_it_did_not_try() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    let line = async |arguments: &[&str]| {
        let arguments: Vec<&str> = ["check", "--json"].iter().chain(arguments).copied().collect();
        let ended = home.run(&arguments).await;
        let line = ended.json().into_iter().find(|line| line["check"] == "credentials").unwrap();
        (ended.code, line["ok"].as_bool().unwrap(), line["message"].as_str().unwrap().to_owned())
    };
    home.enrol(&["alice", "bob"]).await;
    let asked = || simulator.world().request_count(Operation::Refresh);
    let (code, ok, message) = line(&["--member", "bob"]).await;
    assert_eq!((code, ok, asked()), (Some(0), true, 1), "{message}");
    assert_eq!(simulator.world().request_count_for("bob", Operation::Refresh).unwrap(), 1);
    assert!(line(&[]).await.1, "a token that is still good is no proof");
    assert_eq!(asked(), 2);
    let refused = Fault::new(FaultKind::GraphqlError { code: "login".into() }).on(Operation::Refresh);
    simulator.world().add_fault(refused);
    let (code, ok, _) = line(&[]).await;
    assert_eq!((code, ok), (Some(1), false), "a gateway that refuses every member");
    assert!(!line(&["--member", "alice"]).await.1);
    for member in ["alice", "bob"] {
        home.run(&["members", "remove", member]).await.well();
    }
    let before = asked();
    assert!(line(&[]).await.1);
    assert_eq!(asked(), before, "without a member there is nothing to try");
}

#[tokio::test]
async fn check_warns_about_a_clock_that_is_half_a_minute_off_the_gateways() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    for (ahead, level) in [(0, "ok"), (10, "ok"), (60, "warning"), (-60, "warning")] {
        simulator.world().configure(|settings| settings.date_ahead = ahead);
        let lines = home.json(&["check"]).await;
        let line = lines.iter().find(|line| line["check"] == "clock").unwrap();
        assert_eq!(line["level"], level, "{ahead} s: {line}");
    }
}
