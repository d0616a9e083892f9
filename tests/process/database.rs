//! The database file: who creates it, and what the commands say about a file that they cannot use.

use crate::fault_rows::expect_row;
use crate::harness::{Home, simulator, until_true};
use crate::servers::readiness;
use serde_json::{Value, json};
use std::fs;

#[tokio::test]
async fn only_commands_that_enroll_or_sweep_create_a_database() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    let reports = [
        "status",
        "members list",
        "members show alice",
        "members retry --all",
        "members remove alice",
        "members remove alice --erase",
        "connections list",
        "connections list --member alice",
        "connections disconnect epic --member alice --yes",
        "transitions",
        "lapses list",
        "notices list",
        "notices retry --all",
        "suppress list",
        "suppress add alice@example.org",
        "links activity",
        "sources list",
        "links revoke --member alice",
    ];
    let database = home.path("reconnectd.db").display().to_string();
    for command in reports {
        let arguments: Vec<&str> = command.split(' ').collect();
        home.run(&arguments).await.badly(2, &["database.url", &database]);
        assert_eq!(home.database_files(), [], "{command}");
    }
    let checked = home.json(&["check"]).await;
    let line = checked.iter().find(|line| line["check"] == "database").unwrap();
    assert_eq!(line["level"], json!("ok"));
    assert_eq!(home.database_files(), [], "check");

    // An error in the configuration creates none, either.
    home.set("gateway.auth.mode", "token_exchange");
    for command in ["run", "once"] {
        home.run(&[command]).await.badly(2, &[]);
        assert_eq!(home.database_files(), [], "{command}");
    }
    home.set("gateway.auth.mode", "refresh_token");
    home.run(&["once"]).await.well();
    assert_eq!(home.json(&["status"]).await[0]["members"], json!(0));
}

#[tokio::test]
async fn a_path_is_reported_as_it_leads_from_the_working_directory() {
    let mut home = Home::bare();
    home.set("database.url", "sqlite://typo.db");
    let typo = home.path("typo.db").display().to_string();
    home.run(&["status"]).await.badly(2, &["database.url", &typo]);
    assert!(!home.path("typo.db").exists());
}

#[tokio::test]
async fn the_check_fails_where_no_database_could_be_created() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    std::os::unix::fs::symlink(home.path("nothing"), home.path("link.db")).unwrap();
    for name in ["nowhere/x.db", "link.db"] {
        let path = home.path(name).display().to_string();
        home.set("database.url", format!("sqlite://{path}"));
        let checked = home.run(&["check", "--json"]).await.badly(1, &[]);
        let line = checked.json().into_iter().find(|line| line["check"] == "database").unwrap();
        assert_eq!(line["level"], json!("failed"), "{name}");
        home.run(&["once"]).await.badly(2, &["database.url", &path]);
    }
    let files: Vec<_> = fs::read_dir(home.path(".")).unwrap().collect();
    assert_eq!(files.len(), 3, "{files:?}");
}

#[tokio::test]
async fn a_url_that_names_no_plain_file_is_refused_and_no_file_is_created() {
    for url in ["sqlite://reconnectd.db?mode=ro", "sqlite://reconnectd.db?mode=memory", "sqlite://:memory:"] {
        let mut home = Home::bare();
        home.run(&["keys", "generate"]).await.well();
        home.set("database.url", url);
        for command in ["run", "once", "check", "status"] {
            home.run(&[command]).await.badly(2, &["reconnectd.toml:", "database.url"]);
        }
        let files = fs::read_dir(home.path(".")).unwrap().map(|file| file.unwrap().file_name());
        let mut files: Vec<_> = files.collect();
        files.sort();
        assert_eq!(files, ["reconnectd.keys", "reconnectd.toml"], "{url}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_usable_database_is_refused_and_stays_as_it_is() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let good = fs::read(home.path("reconnectd.db")).unwrap();
    let mut damaged = good.clone();
    damaged[100..].fill(0xa5);
    for content in [b"no database at all".as_slice(), &damaged] {
        // Pages in the write-ahead log would repair the file.
        for (name, _) in home.database_files() {
            fs::remove_file(home.path(&name)).unwrap();
        }
        home.write_bytes("reconnectd.db", content);
        for command in ["run", "once", "status"] {
            home.run(&[command]).await.badly(2, &["database"]);
        }
        let checked = home.run(&["check", "--json"]).await.badly(1, &[]);
        let has_failed = |line: &Value| line["check"] == "database" && line["level"] == "failed";
        assert!(checked.json().iter().any(has_failed), "{}", checked.stdout);
        assert_eq!(fs::read(home.path("reconnectd.db")).unwrap(), content);
    }
}

/// Puts a copy in the place of the database, as a restored backup would be.
fn replace_database(home: &Home) {
    let database = home.path("reconnectd.db");
    fs::copy(&database, home.path("copy.db")).unwrap();
    fs::rename(home.path("copy.db"), &database).unwrap();
}

#[tokio::test]
async fn a_daemon_ends_before_the_next_sweep_when_its_database_is_deleted_or_replaced() {
    let simulator = simulator(0).await;
    for is_replaced in [true, false] {
        let home = Home::new(&simulator);
        home.enrol(&["alice"]).await;
        let daemon = home.daemon().await;
        if is_replaced {
            replace_database(&home);
        } else {
            fs::remove_file(home.path("reconnectd.db")).unwrap();
        }
        let ended = daemon.running.ended().await;
        ended.badly(1, &["event=\"database_file_replaced\""]);
        assert_eq!(home.path("reconnectd.db").exists(), is_replaced, "no database is made in its place");
    }
}

#[tokio::test]
async fn a_daemon_ends_when_its_log_is_deleted_or_replaced() {
    let simulator = simulator(0).await;
    for (name, is_replaced) in [("reconnectd.db-wal", false), ("reconnectd.db-shm", true)] {
        let home = Home::new(&simulator);
        home.enrol(&["alice"]).await;
        let daemon = home.daemon().await;
        fs::rename(home.path(name), home.path("aside")).unwrap();
        if is_replaced {
            fs::copy(home.path("aside"), home.path(name)).unwrap();
        }
        daemon.running.ended().await.badly(1, &["event=\"database_file_replaced\"", name]);
    }
}

#[tokio::test]
async fn what_was_written_to_a_deleted_log_is_in_the_file_when_the_daemon_has_ended() {
    let simulator = simulator(0).await;
    simulator.world().configure(|settings| settings.rotate = true);
    let mut home = Home::new(&simulator);
    home.set("sweep.schedule", "0 0 0 1 1 *");
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    until_true("the first sweep", async || home.json(&["connections", "list"]).await.len() == 3).await;
    fs::remove_file(home.path("reconnectd.db-wal")).unwrap();
    // It writes, and notices.
    assert_eq!(readiness(&daemon).await.0, 503);
    daemon.running.ended().await.badly(1, &["event=\"database_log_rescued\""]);
    assert_eq!(home.json(&["connections", "list"]).await.len(), 3);
    home.run(&["once"]).await.well();
    assert_eq!(home.json(&["members", "list"]).await[0]["credential"], json!("ok"), "its token was rotated");
}

#[tokio::test]
async fn a_daemon_without_its_database_is_not_ready_and_does_not_end_well() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    // No sweep but the first one notices it.
    home.set("sweep.schedule", "0 0 0 1 1 *");
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    until_true("the first sweep", async || {
        home.json(&["status"]).await[0]["last_sweep"]["finished_at"] != json!(null)
    })
    .await;
    replace_database(&home);
    let (status, body) = readiness(&daemon).await;
    assert_eq!(status, 503);
    assert!(body.starts_with("database_file_replaced:"));
    let ended = daemon.running.stopped().await.badly(1, &["event=\"database_file_replaced\""]);
    let fault = "SQLite: the file is deleted or replaced";
    expect_row(
        fault,
        "the daemon ends with exit code 1",
        "database_file_replaced",
        ("database_file_replaced", &ended.stderr),
    );
}
