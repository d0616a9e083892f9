//! The key ring must belong to the database.

use crate::harness::{Home, simulator};
use reconnectd::sim::Simulator;
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
