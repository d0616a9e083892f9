//! SIGKILL at one moment after the other: what is owed is done in the end, and done once.

use crate::harness::{Home, mails, simulator, until, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation, Simulator, SmtpAction, SmtpFault, SmtpStage};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// When a daemon is killed, counted from its start.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as the gateway was asked this so often.
    Asked(Operation, u32),
    /// As soon as this stands in the log.
    Logged(&'static str),
    /// While the mail server keeps its acceptance back.
    BeforeAcceptance,
    /// After the mail server's acceptance, and before anything could be recorded.
    BeforeRecording,
    /// As soon as a mail has come in.
    Mailed,
}
use Moment::{Asked, BeforeAcceptance, BeforeRecording, Logged, Mailed};
use Operation::{GetMemberConnections, GetOauthUrl};

/// A round each.
const MOMENTS: [Moment; 16] = [
    Asked(GetMemberConnections, 1),
    Asked(GetMemberConnections, 5),
    Asked(GetMemberConnections, 16),
    Logged("transition"),
    Logged("notice queued"),
    // The second look.
    Asked(GetMemberConnections, 17),
    Asked(GetOauthUrl, 1),
    BeforeAcceptance,
    BeforeRecording,
    Mailed,
    Logged("outcome=\"sent\""),
    Logged("sweep starts"),
    BeforeRecording,
    Asked(GetMemberConnections, 9),
    Logged("sweep ended"),
    BeforeAcceptance,
];

/// The one whose connection expires in this round.
fn member(round: usize) -> String {
    format!("m{}", round + 1)
}

#[tokio::test]
async fn whenever_it_is_killed_each_connection_lapses_once_and_each_notice_is_sent() {
    let simulator = simulator(MOMENTS.len() as u32).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1).set("gateway.max_in_flight", 4);
    let everyone: Vec<String> = (0..MOMENTS.len()).map(member).collect();
    home.enrol(&everyone.iter().map(String::as_str).collect::<Vec<_>>()).await;
    home.run(&["once"]).await.well();

    for (round, moment) in MOMENTS.into_iter().enumerate() {
        simulator.world().set_status(&member(round), "epic", "EXPIRED").unwrap();
        simulator.world().reset_requests();
        kill_at(moment, &home, &simulator).await;
        simulator.mailbox().clear_faults();
        // A notice that may have been handed over four times is given up, so each is left alone before that.
        if round % 3 == 2 {
            home.run(&["once"]).await.well();
        }
    }
    home.run(&["once"]).await.well();
    nothing_is_lost(&home, &everyone).await;
    each_was_told(&home, &simulator, &everyone).await;
}

/// Starts a daemon and kills it at that moment of its life.
async fn kill_at(moment: Moment, home: &Home, simulator: &Simulator) {
    let received = simulator.mailbox().received();
    let script = |stage| simulator.mailbox().script(SmtpFault::new(stage, SmtpAction::Delay { ms: 1_500 }));
    let mut database = match moment {
        BeforeAcceptance => Some((home.database().await, script(SmtpStage::End))),
        BeforeRecording => Some((home.database().await, script(SmtpStage::Connect))),
        _ => None,
    };
    const KEPT: &str = "unsubscribe_tokens";
    let before = match &mut database {
        Some((database, ())) => database.count(KEPT).await.unwrap(),
        None => 0,
    };
    let daemon = home.daemon().await;
    let world = simulator.world();
    match moment {
        Asked(operation, times) => {
            until_true("questions", async || world.request_count(operation) >= times).await;
        }
        Logged(words) => until_true(words, async || daemon.running.stderr().contains(words)).await,
        Mailed => until_true("a mail", async || simulator.mailbox().received() > received).await,
        BeforeAcceptance | BeforeRecording => {}
    }
    if let Some((database, ())) = &mut database {
        // The unsubscribe token is the last row written before the email is handed to the server.
        until_true("an unsubscribe token", async || database.count(KEPT).await.unwrap() > before).await;
        if let BeforeRecording = moment {
            database.block_writers().await.unwrap();
            until_true("a mail", async || simulator.mailbox().received() > received).await;
        }
    }
    assert_eq!(daemon.running.kill().signal, Some(9), "{moment:?}");
}

async fn nothing_is_lost(home: &Home, everyone: &[String]) {
    let mut database = home.database().await;
    assert_eq!(database.defects().await.unwrap(), [] as [&str; 0]);
    assert_eq!(home.json(&["members", "list"]).await.len(), everyone.len());
    assert_eq!(home.json(&["connections", "list"]).await.len(), everyone.len());
    for member in everyone {
        let path: Vec<_> = home
            .json(&["transitions", "--member", member])
            .await
            .into_iter()
            .map(|transition| transition["to"].clone())
            .collect();
        assert_eq!(path, [json!("CONNECTED"), json!("EXPIRED")], "{member}");
    }
    let lapses = home.json(&["lapses", "list"]).await;
    assert_eq!(lapses.len(), everyone.len());
    assert!(lapses.iter().all(|lapse| lapse["state"] == "open"), "{lapses:?}");
    let outcomes = database.texts("attempts", "outcome").await.unwrap();
    assert!(outcomes.iter().all(|outcome| !outcome.is_empty()), "every attempt has ended: {outcomes:?}");
}

/// One notice each, sent; and more than one mail only where a kill came between handing over and recording.
async fn each_was_told(home: &Home, simulator: &Simulator, everyone: &[String]) {
    let notices = home.json(&["notices", "list"]).await;
    assert_eq!(notices.len(), everyone.len());
    assert!(notices.iter().all(|notice| notice["state"] == "sent"), "{notices:?}");

    let mut mails: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in simulator.mailbox().mails() {
        mails.entry(mail.to.concat()).or_default().push(mail.header("Message-ID").unwrap());
    }
    let mut database = home.database().await;
    let attempts = database.rows("attempts", ["notice_id", "attempt", "outcome"]).await.unwrap();
    let tokens = database.rows("unsubscribe_tokens", ["notice_id", "attempt"]).await.unwrap();
    let notices_of = database.rows("notices", ["notice_id", "member_id"]).await.unwrap();
    let mut twice = 0;
    for member in everyone {
        let ids = &mails[&format!("{member}@example.org")];
        assert!(ids.iter().all(|id| *id == ids[0]), "{member}: one notice, one Message-ID: {ids:?}");
        let is_kill = |[notice, attempt, outcome]: &&[String; 3]| {
            let has_token = tokens.contains(&[notice.clone(), attempt.clone()]);
            outcome == "interrupted" && has_token && notices_of.contains(&[notice.clone(), member.clone()])
        };
        let kills = attempts.iter().filter(is_kill).count() as i64;
        let repeated = ids.len() as i64 - 1;
        assert!(repeated <= kills, "{member}: {repeated} duplicate emails after {kills} kills in the window");
        twice += repeated;
    }
    assert!(twice >= 2, "no kill came between acceptance and record: this test tries nothing");
    let ids: std::collections::BTreeSet<_> = mails.values().flatten().collect();
    assert_eq!(ids.len(), everyone.len(), "no two notices share a Message-ID");
}

#[tokio::test]
async fn an_interrupted_refresh_does_not_keep_its_member_waiting() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice", "bob"]).await;
    let world = simulator.world();
    world.add_fault(Fault::new(FaultKind::Delay { ms: 60_000 }).on(Operation::Refresh));
    let daemon = home.daemon().await;
    until_true("two renewals", async || world.request_count(Operation::Refresh) == 2).await;
    daemon.running.kill();
    world.clear_faults();

    let once = home.start(&["once", "--json"]).ended_within(Duration::from_secs(20)).await.well();
    assert_eq!(once.json()[0]["unclear"], json!(0));
}

#[tokio::test]
async fn a_notice_interrupted_while_it_waits_for_its_turn_was_not_handed_over() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1).set("email.per_minute", 1);
    home.enrol(&["alice", "bob", "carol"]).await;
    home.run(&["once"]).await.well();
    let world = simulator.world();
    for member in ["alice", "bob", "carol"] {
        world.set_status(member, "epic", "EXPIRED").unwrap();
    }
    let daemon = home.daemon().await;
    mails(&simulator, 1).await;
    let mut database = home.database().await;
    until_true("the two others", async || {
        let states = database.texts("notices", "state").await.unwrap();
        states.iter().filter(|state| *state == "sending").count() == 2
    })
    .await;
    let asked = world.request_count(GetMemberConnections);
    // Their second looks and two sweeps.
    until_true("time to pass", async || world.request_count(GetMemberConnections) >= asked + 8).await;
    daemon.running.kill();
    assert_eq!(database.count("links").await.unwrap(), 1, "the first one's alone");

    home.set("email.per_minute", 600);
    home.run(&["once"]).await.well();
    assert_eq!(mails(&simulator, 3).await.len(), 3);
}

#[tokio::test]
async fn a_lapse_that_ended_while_nothing_ran_is_closed_without_an_email() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let world = simulator.world();
    world.set_status("alice", "epic", "EXPIRED").unwrap();
    world.add_fault(Fault::new(FaultKind::Delay { ms: 60_000 }).on(GetOauthUrl));
    let daemon = home.daemon().await;
    until_true("a delivery under way", async || world.request_count(GetOauthUrl) == 1).await;
    daemon.running.kill();
    world.clear_faults();
    world.set_status("alice", "epic", "CONNECTED").unwrap();

    home.run(&["once"]).await.well();
    let notice = until("the notice", async || home.json(&["notices", "list"]).await.pop()).await;
    assert_eq!(notice["state"], json!("cancelled"));
    assert_eq!(home.json(&["lapses", "list"]).await[0]["outcome"], json!("recovered"));
    assert_eq!(mails(&simulator, 0).await.len(), 0);
}
