//! Imports beside a running daemon, and files that cannot be used as they are.

use crate::harness::{Home, mails, simulator, until_true};
use reconnectd::sim::TestBrowser;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

fn rows(count: u32) -> String {
    let mut rows = String::from("member_id,email\n");
    for number in 0..count {
        writeln!(rows, "n{number},n{number}@example.org").unwrap();
    }
    rows
}

#[tokio::test]
async fn an_import_from_an_open_pipe_holds_up_neither_email_nor_presses() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let daemon = home.daemon().await;
    let (import, mut pipe) = home.start_with_pipe(&["members", "import", "-"]);
    pipe.write_all(rows(2_000).as_bytes()).unwrap();
    let mut database = home.database().await;
    until_true("rows to be staged", async || database.count("import_rows").await.unwrap() >= 1_000).await;

    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let link = daemon.link(&mails(&simulator, 1).await[0]);
    let pressed = TestBrowser::new().unwrap().press(&link, &[]).await.unwrap();
    assert_eq!(pressed.status, 303);
    assert_eq!(database.count("members").await.unwrap(), 1, "the file has not ended");

    drop(pipe);
    assert_eq!(import.ended().await.well().stdout, "2000 members imported\n");
    assert_eq!(database.count("members").await.unwrap(), 2_001);
    let log = daemon.running.stopped().await.well().stderr;
    assert!(!log.contains("event=\"press_busy\""), "{log}");
}

#[tokio::test]
async fn an_import_killed_while_it_reads_leaves_nothing_and_one_killed_later_is_finished() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let mut database = home.database().await;
    let (import, mut pipe) = home.start_with_pipe(&["members", "import", "-"]);
    pipe.write_all(rows(12_000).as_bytes()).unwrap();
    until_true("rows to be staged", async || database.count("import_rows").await.unwrap() >= 10_000).await;
    import.kill();
    home.run(&["once"]).await;
    let left = [database.count("members").await.unwrap(), database.count("import_rows").await.unwrap()];
    assert_eq!(left, [1, 0]);

    let (import, mut pipe) = home.start_with_pipe(&["members", "import", "-"]);
    pipe.write_all(rows(12_000).as_bytes()).unwrap();
    until_true("rows to be staged", async || database.count("import_rows").await.unwrap() >= 10_000).await;
    let staged = database.count("import_rows").await.unwrap();
    import.kill();
    database.set("imports", "read_at", 1).await.unwrap();
    let log = home.run(&["once"]).await.stderr;
    assert!(log.contains("event=\"import_finished\""), "{log}");
    let left = [database.count("members").await.unwrap(), database.count("import_rows").await.unwrap()];
    assert_eq!(left, [1 + staged, 0]);
}

#[tokio::test]
async fn a_file_without_members_is_refused_unless_that_is_intended() {
    let home = Home::bare();
    home.run(&["keys", "generate"]).await.well();
    for (name, text) in [("empty.csv", ""), ("header.csv", "member_id,email\n,,\n"), ("empty.jsonl", "\n")] {
        home.write(name, text);
        home.run(&["members", "import", name]).await.badly(1, &[name, "--allow-empty"]);
        let imported = home.json(&["members", "import", name, "--allow-empty"]).await;
        assert_eq!(imported, [json!({ "imported": 0, "known_tokens": 0 })]);
    }
}

#[tokio::test]
async fn rejected_lines_are_reported_as_json() {
    let home = Home::bare();
    home.run(&["keys", "generate"]).await.well();
    home.write("m.csv", "member_id,email\na,a@b.example\nb,nobody\n=A1,c@b.example\n");
    home.write("columns.csv", "member_id,email,first_name\nm1,m1@example.org,Ann\n");
    home.run(&["members", "import", "columns.csv"]).await.badly(1, &["\"first_name\""]);
    home.write("known.csv", "member_id,locale\nnobody,es\n");
    for (file, expected) in [
        ("m.csv", vec![(json!(3), json!("email")), (json!(4), json!("member_id"))]),
        ("columns.csv", vec![(json!(1), Value::Null)]),
        ("known.csv", vec![(json!(2), json!("email"))]),
        ("missing.csv", vec![(Value::Null, Value::Null)]),
    ] {
        let refused = home.run(&["members", "import", file, "--json"]).await.badly(1, &[]);
        let rejected = refused.json();
        let places: Vec<_> =
            rejected.iter().map(|line| (line["line"].clone(), line["field"].clone())).collect();
        assert_eq!(places, expected, "{file}");
        assert!(rejected.iter().all(|line| line["reason"].is_string()));
    }
    assert_eq!(home.json(&["members", "list"]).await.len(), 0);
}

#[tokio::test]
async fn a_file_of_tokens_changes_nothing_else() {
    let home = Home::bare();
    home.run(&["keys", "generate"]).await.well();
    let add = ["members", "add", "alice", "--email", "alice@example.org", "--locale", "es", "--label", "Ali"];
    assert_eq!(home.run(&add).await.well().stdout, "added member alice\n");
    home.write("tokens.csv", "member_id,refresh_token\nalice,rt-1\n");
    home.run(&["members", "import", "tokens.csv"]).await.well();
    let shown = home.json(&["members", "show", "alice"]).await;
    assert_eq!((&shown[0]["locale"], &shown[0]["label"]), (&json!("es"), &json!("Ali")));
    home.write_secret("token", "rt-2\n");
    let update = ["members", "add", "alice", "--time-zone", "Europe/Madrid", "--refresh-token-file", "token"];
    assert_eq!(home.run(&update).await.well().stdout, "updated member alice\n");
    let shown = home.json(&["members", "show", "alice"]).await;
    assert_eq!((&shown[0]["locale"], &shown[0]["time_zone"]), (&json!("es"), &json!("Europe/Madrid")));
    home.run(&["members", "add", "bob"]).await.badly(2, &["--email"]);
    home.run(&["members", "add", "bob", "--email", "nobody"]).await.badly(2, &["email"]);
}
