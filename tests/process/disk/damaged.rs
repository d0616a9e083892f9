use super::{check_of_database, expire, until_readiness};
use crate::fault_rows::expect_row;
use crate::harness::{Home, mails, simulator, until_true};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::Duration;

const PAGE: u64 = 4096;
const SOME_SWEEPS: Duration = Duration::from_secs(3);

/// Overwrites the first page of a table in the file. Everything is moved there from the log first.
async fn damage(home: &Home, table: &str) {
    let mut rows = home.database().await;
    rows.run("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    let pages = rows.rows("sqlite_master", ["name", "rootpage"]).await.unwrap();
    let page: u64 = pages.into_iter().find(|[name, _]| name == table).unwrap()[1].parse().unwrap();
    let file = OpenOptions::new().write(true).open(home.path("reconnectd.db")).unwrap();
    file.write_all_at(&[0xa5; PAGE as usize], (page - 1) * PAGE).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_stops_all_email_until_a_backup_is_restored() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    home.run(&["backup", "backup.db"]).await.well();

    // While the daemon runs.
    let daemon = home.daemon().await;
    until_readiness(&daemon, 200, "ready").await;
    damage(&home, "lapses").await;
    expire(&simulator, "alice");
    until_readiness(&daemon, 503, "database_damaged").await;
    let log = daemon.running.stderr();
    assert_eq!(log.matches("event=\"database_damaged\"").count(), 1, "{log}");
    let end = "nothing is emailed until a backup is restored";
    expect_row("SQLite: a page of the file is damaged", end, "database_damaged", ("database_damaged", &log));
    daemon.running.terminate();
    daemon.running.ended().await;

    // And before it starts.
    home.run(&["once"]).await.badly(2, &["damaged", "restore a backup"]);
    let (level, message) = check_of_database(&home).await;
    assert!(level == "failed" && message.contains("restore a backup"), "{message}");
    assert_eq!(simulator.mailbox().received(), 0);

    for (name, _) in home.database_files().iter().filter(|(name, _)| !name.ends_with(".lock")) {
        std::fs::rename(home.path(name), home.path(&format!("damaged-{name}"))).unwrap();
    }
    home.run(&["restore", "backup.db"]).await.well();
    let daemon = home.daemon().await;
    let held = async || home.json(&["notices", "list"]).await.iter().any(|notice| notice["state"] == "held");
    until_true("the notice", held).await;
    let holds = home.json(&["hold", "list"]).await;
    home.run(&["hold", "release", holds[0]["hold_id"].as_str().unwrap()]).await.well();
    mails(&simulator, 1).await;
    daemon.running.stopped().await.well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_does_not_wait_for_the_look_at_all_pages_and_nothing_is_emailed_once_it_finds_damage() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    // Nothing else reads it.
    damage(&home, "audit").await;
    let daemon = home.daemon().await;
    until_readiness(&daemon, 503, "database_damaged").await;
    expire(&simulator, "alice");
    tokio::time::sleep(SOME_SWEEPS).await;
    until_readiness(&daemon, 503, "database_damaged").await;
    let log = daemon.running.stopped().await.well().stderr;
    assert_eq!(log.matches("event=\"database_damaged\"").count(), 1, "{log}");
    assert_eq!(simulator.mailbox().received(), 0);
}
