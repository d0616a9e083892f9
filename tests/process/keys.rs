//! The key ring must belong to the database.

use crate::harness::{Home, simulator, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation, Simulator};
use serde_json::{Value, json};
use std::fs;

const ENROLL: &[&str] = &["members", "import", "members.jsonl"];

/// A home with two members whose tokens were stored.
async fn enrolled(simulator: &Simulator) -> Home {
    let home = Home::new(simulator);
    home.enrol(&["alice", "bob"]).await;
    home
}

/// Replaces the key ring by a new one. Returns the id of its key.
async fn new_ring(home: &Home) -> String {
    fs::remove_file(home.path("reconnectd.keys")).unwrap();
    home.json(&["keys", "generate"]).await[0]["key_id"].as_str().unwrap().to_owned()
}

/// Replaces the key ring by a new one whose key has the id of the old one.
async fn new_key_with_the_same_id(home: &Home) {
    let ring = home.path("reconnectd.keys");
    let id = |text: &str| text.lines().last().unwrap().split(' ').next().unwrap().to_owned();
    let old = id(&fs::read_to_string(&ring).unwrap());
    let new = new_ring(home).await;
    fs::write(&ring, fs::read_to_string(&ring).unwrap().replace(&new, &old)).unwrap();
}

async fn check_level(home: &Home, code: i32) -> Value {
    let checked = home.run(&["check", "--json"]).await;
    assert_eq!(checked.code, Some(code), "{}", checked.stdout);
    checked.json().into_iter().find(|line| line["check"] == "keys").unwrap()["level"].clone()
}

#[tokio::test]
async fn a_ring_that_opens_nothing_is_refused_and_one_that_opens_some_credentials_names_the_others() {
    let simulator = simulator(0).await;
    let home = enrolled(&simulator).await;
    home.run(&["once"]).await.well();
    new_ring(&home).await;
    for command in ["run", "once"] {
        home.run(&[command]).await.badly(2, &["keys.file"]);
    }
    assert_eq!(check_level(&home, 1).await, json!("failed"));
    let credentials = home.json(&["status"]).await[0]["credentials"].clone();
    assert_eq!(credentials, json!({ "locked": 2, "ok": 0 }));
    for member in home.json(&["members", "list"]).await {
        assert_eq!(member["credential"], json!("locked"));
    }

    // The way out when the old ring is lost.
    let line = json!({ "member_id": "alice", "email": "alice@example.org", "refresh_token": "rt-alice" });
    home.write("alice.jsonl", &line.to_string());
    home.run(&["members", "import", "alice.jsonl"]).await.well();
    home.run(&["once"]).await.badly(3, &["event=\"credentials_locked\""]);
    assert_eq!(check_level(&home, 0).await, json!("warning"));
    let credentials = home.json(&["status"]).await[0]["credentials"].clone();
    assert_eq!(credentials, json!({ "locked": 1, "ok": 1 }));
}

#[tokio::test]
async fn another_key_with_the_same_id_is_refused_also_by_an_older_database() {
    let simulator = simulator(0).await;
    let home = enrolled(&simulator).await;
    let good = fs::read(home.path("reconnectd.keys")).unwrap();
    new_key_with_the_same_id(&home).await;
    for is_older in [false, true] {
        if is_older {
            let id = home.database().await.texts("key_canaries", "key_id").await.unwrap().remove(0);
            home.database().await.delete_where("key_canaries", ("key_id", &id)).await.unwrap();
        }
        for command in [&["run"][..], &["once"], ENROLL] {
            home.run(command).await.badly(2, &["keys.file"]);
        }
        assert_eq!(check_level(&home, 1).await, json!("failed"));
        assert_eq!(home.json(&["status"]).await[0]["credentials"]["locked"], json!(2));
    }
    home.write_bytes("reconnectd.keys", &good);
    home.run(&["once"]).await.well();
    assert_eq!(home.json(&["status"]).await[0]["credentials"], json!({ "ok": 2 }));
    assert_eq!(home.database().await.count("key_canaries").await.unwrap(), 1, "an older database gets one");
}

#[tokio::test]
async fn a_database_without_credentials_accepts_every_ring() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    home.run(&["once"]).await.well();
    new_key_with_the_same_id(&home).await;
    assert_eq!(check_level(&home, 0).await, json!("ok"));
    home.run(&["once"]).await.well();
    new_ring(&home).await;
    home.write(
        "members.jsonl",
        r#"{"member_id":"alice","email":"alice@example.org","refresh_token":"rt-alice"}"#,
    );
    home.run(ENROLL).await.well();
    home.run(&["once"]).await.well();
    assert_eq!(check_level(&home, 0).await, json!("ok"));
}

/// The ids in the file of the ring, the oldest first.
fn ring_ids(home: &Home) -> Vec<String> {
    let ring = fs::read_to_string(home.path("reconnectd.keys")).unwrap();
    let keys = ring.lines().filter(|line| !line.starts_with('#'));
    keys.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_rotation_beside_the_daemon_that_is_killed_twice_finishes_and_loses_nothing() {
    const MEMBERS: u32 = 600;
    let simulator = simulator(MEMBERS).await;
    let world = simulator.world();
    // Each sweep renews many tokens.
    world.configure(|settings| (settings.rotate, settings.access_token_lifetime) = (true, 3));
    world.add_fault(Fault::new(FaultKind::Delay { ms: 5 }).on(Operation::Refresh));
    let home = Home::new(&simulator);
    let members: Vec<String> = (1..=MEMBERS).map(|n| format!("m{n}")).collect();
    home.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let old = ring_ids(&home).remove(0);
    let daemon = home.daemon().await;
    until_true("a sweep", async || world.request_count(Operation::Refresh) >= MEMBERS).await;

    let rotate = &["keys", "rotate"];
    let begun = home.start(rotate);
    until_true("the new key", async || ring_ids(&home).len() == 2).await;
    assert_eq!(begun.kill().signal, Some(9));
    let new = ring_ids(&home).remove(1);
    let halfway = home.start(rotate);
    let mut database = home.database().await;
    until_true("some rows under the new key", async || {
        let keys = database.texts("credentials", "key_id").await.unwrap();
        keys.contains(&new)
    })
    .await;
    // It may have come to its end just before. Then the next run is another rotation.
    let has_ended = halfway.kill().code == Some(0);
    let report = home.json(rotate).await.remove(0);
    let (new, was_new) = (report["key_id"].as_str().unwrap().to_owned(), new);
    let summary = ["added", "complete"].map(|field| report[field].clone());
    assert_eq!(summary, [json!(has_ended), json!(true)], "{report}");
    assert_eq!(new != was_new, has_ended);
    assert_eq!(ring_ids(&home), [new.as_str()]);
    until_true("the daemon to follow", async || {
        daemon.running.stderr().matches("event=\"key_ring_changed\"").count() >= 2
    })
    .await;
    // Another sweep renews tokens without the old key.
    let refreshed = world.request_count(Operation::Refresh);
    until_true("more renewals", async || world.request_count(Operation::Refresh) > refreshed + 100).await;
    let ended = daemon.running.stopped().await.well();
    for word in ["ERROR", "credential_rejected", "credentials_locked", "key_ring_not_reread"] {
        assert!(!ended.stderr.contains(word), "{word}:\n{}", ended.stderr);
    }
    for table in ["credentials", "access_tokens"] {
        let keys = database.texts(table, "key_id").await.unwrap();
        assert!(keys.iter().all(|key| *key == new) && !keys.contains(&old), "{table}");
    }
    assert_eq!(home.json(&["status"]).await[0]["credentials"], json!({ "ok": MEMBERS }));
    assert_eq!(check_level(&home, 0).await, json!("ok"));
    // The first tokens were spent long ago, and importing them again changes nothing.
    let imported = home.json(&["members", "import", "members.jsonl"]).await.remove(0);
    assert_eq!(imported["known_tokens"], json!(MEMBERS), "{imported}");
    world.clear_faults();
    home.run(&["once"]).await.well();
}
