//! `database copy`: what it prints, and what the commands do with both databases afterwards.

use crate::harness::{Ended, Home, Running, mails, simulator, until_true};
use crate::postgres;
use reconnectd::store::testing::TestDatabase;
use serde_json::{Value, json};
use std::fmt::Write as _;

const ROWS: usize = 20_000;

impl Home {
    fn database_url(&self, name: &str) -> String {
        format!("sqlite://{}", self.path(name).display())
    }

    async fn enrol_many(&self) {
        let mut rows = String::from("member_id,email\n");
        for number in 0..ROWS {
            writeln!(rows, "n{number},n{number}@example.org").unwrap();
        }
        self.write("many.csv", &rows);
        self.run(&["members", "import", "many.csv"]).await.well();
    }

    /// Starts a copy to `copy.db`, and stops it while it has work left to do.
    async fn copy_until_blocked(&self) -> (Running, TestDatabase) {
        let copy = self.start(&["database", "copy", "--to", &self.database_url("copy.db")]);
        until_true("the mark", async || {
            let Ok(mut rows) = TestDatabase::open(&self.path("copy.db")).await else { return false };
            matches!(rows.count("copy_mark").await, Ok(1))
        })
        .await;
        let mut blocker = TestDatabase::open(&self.path("copy.db")).await.unwrap();
        blocker.block_writers().await.unwrap();
        (copy, blocker)
    }
}

fn database_line(ended: &Ended) -> Value {
    ended.json().into_iter().find(|line| line["check"] == "database").unwrap()
}

#[tokio::test]
async fn the_original_is_only_read_after_a_copy_until_it_is_reopened() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let (original, copy) = (home.database_url("reconnectd.db"), home.database_url("copy.db"));
    let before = home.json(&["status"]).await;
    let lines = home.json(&["database", "copy", "--to", &copy]).await;
    let (summary, tables) = lines.split_last().unwrap();
    let path = |url: &str| url.trim_start_matches("sqlite://").to_owned();
    assert_eq!((&summary["from"], &summary["to"]), (&json!(path(&original)), &json!(path(&copy))));
    assert_eq!(summary["tables"], json!(tables.len()));
    let members = tables.iter().find(|table| table["table"] == "members").unwrap();
    assert_eq!((&members["rows"], members["digest"].as_str().map(str::len)), (&json!(1), Some(64)));

    for command in [
        "run",
        "once",
        "members import members.jsonl",
        "members add bob --email bob@example.org",
        "members remove alice",
        "members retry --all",
        "connections list --member alice",
        "notices retry --all",
        "suppress add alice@example.org",
        "suppress remove alice@example.org",
        "links revoke --member alice",
        "database copy --to sqlite://another.db",
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        home.run(&arguments).await.badly(2, &["was copied to", &path(&copy), "database reopen"]);
    }
    assert!(!home.path("another.db").exists());
    for command in ["status", "members list", "lapses list", "transitions", "notices list", "suppress list"] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let shown = home.run(&arguments).await.well();
        assert!(shown.stderr.contains("out of date"), "{command}: {}", shown.stderr);
    }
    let checked = home.run(&["check", "--json"]).await.badly(1, &[]);
    assert_eq!(database_line(&checked)["level"], "failed");

    home.set("database.url", copy);
    assert_eq!(home.json(&["status"]).await, before);
    home.run(&["check"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    home.run(&["once"]).await.well();
    mails(&simulator, 1).await;

    home.set("database.url", original);
    home.run(&["database", "reopen"]).await.badly(2, &["--yes"]);
    for reopened in [true, false] {
        assert_eq!(home.json(&["database", "reopen", "--yes"]).await[0]["reopened"], reopened);
    }
    home.run(&["suppress", "add", "alice@example.org"]).await.well();
}

#[tokio::test]
async fn a_killed_or_interrupted_copy_leaves_the_original_in_use_and_no_daemon_starts_on_the_copy() {
    let simulator = simulator(0).await;
    for is_killed in [true, false] {
        let mut home = Home::new(&simulator);
        home.run(&["keys", "generate"]).await.well();
        home.enrol_many().await;
        let (copy, blocker) = home.copy_until_blocked().await;
        if is_killed {
            copy.kill();
            drop(blocker);
        } else {
            copy.signal("INT");
            drop(blocker);
            copy.ended().await.badly(1, &["stopped"]);
        }
        let to = home.database_url("copy.db");
        home.run(&["suppress", "add", "alice@example.org"]).await.well();
        home.run(&["database", "copy", "--to", &to])
            .await
            .badly(2, &["--to:", "incomplete", "delete this file"]);
        home.set("database.url", to);
        for command in ["run", "once", "status"] {
            home.run(&[command]).await.badly(2, &["incomplete copy", "delete this file"]);
        }
        home.run(&["database", "reopen", "--yes"]).await.badly(2, &["incomplete copy"]);
        let checked = home.run(&["check", "--json"]).await.badly(1, &[]);
        assert_eq!(database_line(&checked)["level"], "failed");
    }
}

#[tokio::test]
async fn a_copy_is_refused_while_a_daemon_runs() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    let copy = home.database_url("copy.db");
    home.run(&["database", "copy", "--to", &copy]).await.badly(1, &["another reconnectd"]);
    daemon.running.stopped().await.well();
    home.run(&["database", "copy", "--to", &copy]).await.well();
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let home = Home::bare();
    home.run(&["keys", "generate"]).await.well();
    home.write("empty.csv", "member_id,email\n");
    home.run(&["members", "import", "empty.csv", "--allow-empty"]).await.well();
    for (url, code) in [
        ("postgres://u:hush@127.0.0.1:1/name", 1),
        ("postgres://u:hush@127.0.0.1:1/name?sslmode=hush", 2),
        ("postgres://u:hush@127.0.0.1:port/name", 2),
        ("hush", 2),
    ] {
        home.write_secret("url", url);
        for (option, value) in [("--to", url), ("--to-file", "url")] {
            let refused = home.run(&["database", "copy", option, value]).await.badly(code, &[option]);
            assert!(!format!("{}{}", refused.stdout, refused.stderr).contains("hush"), "{}", refused.stderr);
        }
    }
    home.write("exposed", "postgres://u:hush@127.0.0.1/name");
    home.run(&["database", "copy", "--to-file", "exposed"]).await.badly(2, &["--to-file", "chmod 600"]);
    home.run(&["database", "copy"]).await.badly(2, &["--to"]);
}

#[tokio::test]
async fn a_database_goes_to_postgres_and_back() {
    let Some(server) = postgres::new_database() else { return };
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.enrol(&["alice", "bob"]).await;
    home.run(&["once"]).await.well();
    home.write_secret("url", &format!("{server}\n"));
    let before = home.json(&["status"]).await;
    let there = home.json(&["database", "copy", "--to-file", "url"]).await;
    home.set("database.url", server);
    assert_eq!(home.json(&["status"]).await, before);
    let back = home.json(&["database", "copy", "--to", &home.database_url("back.db")]).await;
    assert_eq!(back.last().unwrap()["rows"], there.last().unwrap()["rows"]);
    for table in there.iter().filter(|line| !line["table"].is_null()) {
        assert!(back.contains(table), "{table}");
    }
    home.run(&["once"]).await.badly(2, &["was copied to"]);
    home.set("database.url", home.database_url("back.db"));
    assert_eq!(home.json(&["status"]).await, before);
    home.run(&["once"]).await.well();
}
