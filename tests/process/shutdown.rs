//! SIGTERM: what is in hand is finished, and what is not is taken up again.

use crate::harness::{Home, mails, simulator, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage};
use serde_json::json;
use std::time::Duration;

/// Less than the 30 s that Kubernetes gives; what is in hand takes less than two.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_sweep_interrupted_by_sigterm_is_finished_by_the_next_run() {
    let simulator = simulator(20).await;
    let mut home = Home::new(&simulator);
    home.set("gateway.max_in_flight", 2).set("sweep.confirm_sweeps", 1);
    let everyone: Vec<String> = (1..=20).map(|n| format!("m{n}")).collect();
    home.enrol(&everyone.iter().map(String::as_str).collect::<Vec<_>>()).await;
    home.run(&["once"]).await.well();
    for member in &everyone {
        simulator.world().set_status(member, "epic", "EXPIRED").unwrap();
    }
    let world = simulator.world();
    world.reset_requests();
    world.add_fault(Fault::new(FaultKind::Delay { ms: 700 }).on(Operation::GetMemberConnections));

    let daemon = home.daemon().await;
    until_true("a sweep under way", async || world.request_count(Operation::GetMemberConnections) >= 3).await;
    let ended = daemon.running;
    ended.terminate();
    let ended = ended.ended_within(DEADLINE).await.well();
    assert!(ended.stderr.contains("event=\"sweep_interrupted\""), "{}", ended.stderr);
    let asked = world.request_count(Operation::GetMemberConnections);
    assert!(asked < 20, "it went on asking, {asked} times");
    let status = home.json(&["status"]).await;
    assert_eq!(status[0]["last_sweep"]["finished_at"], json!(null));

    world.clear_faults();
    let resumed = home.run(&["once", "--json"]).await.well().json();
    assert_eq!((&resumed[0]["complete"], &resumed[0]["members"]), (&json!(true), &json!(20)));
    let status = home.json(&["status"]).await;
    assert_eq!(status[0]["last_sweep"]["complete"], json!(true));
    assert_eq!(mails(&simulator, 20).await.len(), 20);
    let mut out: Vec<_> = home.json(&["transitions"]).await;
    out.retain(|transition| transition["to"] == "EXPIRED");
    assert_eq!(out.len(), 20, "each is recorded once, before or after");
    let mut told: Vec<_> = mails(&simulator, 20).await.iter().map(|mail| mail.to.clone()).collect();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 20, "nobody was told twice");
}

#[tokio::test]
async fn an_email_under_way_at_sigterm_is_delivered_and_recorded() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    simulator.mailbox().script(SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 1_500 }));
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();

    let daemon = home.daemon().await;
    let mut database = home.database().await;
    until_true("a mail under way", async || database.count("links").await.unwrap() == 1).await;
    assert_eq!(simulator.mailbox().received(), 0, "the server has not accepted it yet");
    daemon.running.terminate();
    daemon.running.ended_within(DEADLINE).await.well();
    assert_eq!(simulator.mailbox().received(), 1);
    let notices = home.json(&["notices", "list"]).await;
    let [notice] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!((&notice["state"], &notice["attempts"]), (&json!("sent"), &json!(1)));

    simulator.mailbox().clear_faults();
    home.run(&["once"]).await.well();
    let again = home.daemon().await;
    simulator.world().reset_requests();
    until_true("two sweeps more", async || {
        simulator.world().request_count(Operation::GetMemberConnections) >= 2
    })
    .await;
    again.running.stopped().await.well();
    assert_eq!(simulator.mailbox().received(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn an_unsent_email_at_sigterm_is_sent_by_the_next_run() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.set("email.connections", 1);
    home.enrol(&["alice", "bob", "carol"]).await;
    home.run(&["once"]).await.well();
    let world = simulator.world();
    for member in ["alice", "bob", "carol"] {
        world.set_status(member, "epic", "EXPIRED").unwrap();
    }
    world.add_fault(Fault::new(FaultKind::Delay { ms: 700 }).on(Operation::GetOauthUrl));
    let once = home.start(&["once"]);
    until_true("the first delivery", async || world.request_count(Operation::GetOauthUrl) == 1).await;
    once.terminate();
    let once = once.ended_within(DEADLINE).await;
    assert_eq!(once.code, Some(0), "its sweep was complete: {}", once.stderr);
    assert_eq!(simulator.mailbox().received(), 1, "the one in hand was finished, and no other begun");

    home.run(&["once"]).await.well();
    let mut told: Vec<_> = mails(&simulator, 3).await.iter().map(|mail| mail.to.concat()).collect();
    told.sort();
    assert_eq!(told, ["alice@example.org", "bob@example.org", "carol@example.org"]);
}

#[tokio::test]
async fn work_unfinished_at_the_deadline_is_released_for_the_next_run() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let stuck = SmtpAction::Delay { ms: 600_000 };
    simulator.mailbox().script(SmtpFault::new(SmtpStage::Data, stuck));
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let daemon = home.daemon().await;
    let mut database = home.database().await;
    until_true("a mail under way", async || database.count("links").await.unwrap() == 1).await;
    daemon.running.terminate();
    let ended = daemon.running.ended_within(Duration::from_secs(30)).await.well();
    assert!(ended.stderr.contains("event=\"work_released\""), "{}", ended.stderr);
    let notices = home.json(&["notices", "list"]).await;
    assert_eq!((&notices[0]["state"], &notices[0]["attempts"]), (&json!("queued"), &json!(1)));

    simulator.mailbox().clear_faults();
    home.run(&["once"]).await.well();
    assert_eq!(mails(&simulator, 1).await.len(), 1);
    assert_eq!(home.json(&["notices", "list"]).await[0]["state"], json!("sent"));
}

#[tokio::test]
async fn an_acceptance_that_cannot_be_recorded_is_retried_past_the_shutdown_deadline() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let mut database = home.database().await;
    database.refuse_updates("attempts").await.unwrap();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let daemon = home.daemon().await;
    assert_eq!(mails(&simulator, 1).await.len(), 1);
    daemon.running.terminate();
    let ended = tokio::join!(daemon.running.ended_within(Duration::from_secs(60)), async {
        tokio::time::sleep(DEADLINE + Duration::from_secs(2)).await;
        database.accept_updates("attempts").await.unwrap();
    });
    let log = ended.0.well().stderr;
    let retried = log.find("event=\"attempt_not_recorded\"").expect("the record is retried");
    assert!(log[retried..].contains("event=\"work_released\""), "{log}");
    let notices = home.json(&["notices", "list"]).await;
    assert_eq!((&notices[0]["state"], &notices[0]["attempts"]), (&json!("sent"), &json!(1)));
    home.run(&["once"]).await.well();
    assert_eq!(simulator.mailbox().received(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn a_pass_without_a_mail_server_is_incomplete_and_keeps_the_emails() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.set("email.smtp.port", i64::from(nobody.port()));

    let pass = home.run(&["once", "--json"]).await.badly(3, &["mail_server_unreachable"]);
    let pass = &pass.json()[0];
    assert_eq!((&pass["complete"], &pass["mail_pending"]), (&json!(true), &json!(true)));
    let notices = home.json(&["notices", "list"]).await;
    assert_eq!(
        (&notices[0]["state"], &notices[0]["reason"]),
        (&json!("queued"), &json!("mail_server_unreachable"))
    );
}

#[tokio::test]
async fn a_second_signal_ends_the_daemon_at_once() {
    for (first, second, code) in [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "QUIT", 131)] {
        let simulator = simulator(0).await;
        let mut home = Home::new(&simulator);
        home.enrol(&["alice"]).await;
        home.set("gateway.timeout", "30s");
        let world = simulator.world();
        world.add_fault(Fault::new(FaultKind::Delay { ms: 25_000 }).on(Operation::GetMemberConnections));
        let daemon = home.daemon().await.running;
        until_true("a poll", async || world.request_count(Operation::GetMemberConnections) > 0).await;
        daemon.signal(first);
        until_true("the first signal", async || daemon.stderr().contains("event=\"stopping\"")).await;
        daemon.signal(second);
        let ended = daemon.ended_within(Duration::from_secs(10)).await;
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains("event=\"stopped_at_once\""), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_daemon_loads_its_configuration_again_on_a_hangup_and_stops_on_sigquit() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await.running;
    daemon.signal("HUP");
    until_true("the log line", async || daemon.stderr().contains("event=\"config_reloaded\"")).await;
    daemon.signal("QUIT");
    daemon.ended_within(DEADLINE).await.well();
}
