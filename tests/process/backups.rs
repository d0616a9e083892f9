//! Backups beside a daemon that is killed, and what a restored database sends. `RECONNECTD_TEST_BACKUPS` is the number of
//! backups.

use crate::harness::{Home, mails, simulator, until_true};
use reconnectd::sim::{Operation, Simulator};
use reconnectd::store::testing::TestDatabase;
use serde_json::json;
use std::collections::BTreeSet;
use std::{env, fs};

/// In the suite.
const BACKUPS: usize = 4;

/// When a backup begins in the life of a daemon. The daemon is killed while the backup runs.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Listening,
    Asked(u32),
    HandingOver,
    Mailed,
}

const MOMENTS: [Moment; 4] = [Moment::HandingOver, Moment::Asked(5), Moment::Mailed, Moment::Listening];

fn count() -> usize {
    env::var("RECONNECTD_TEST_BACKUPS").map_or(BACKUPS, |text| text.parse().expect("a number"))
}

fn url(home: &Home, name: &str) -> String {
    format!("sqlite://{}", home.path(name).display())
}

fn parts(home: &Home) -> usize {
    let names = fs::read_dir(home.path("")).unwrap().map(|file| file.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().contains("reconnectd-part")).count()
}

/// Starts a daemon, waits for the moment, and makes a backup while the daemon is killed.
async fn back_up_at(moment: Moment, name: &str, home: &Home, simulator: &Simulator) {
    let mut rows = home.database().await;
    let (tokens, received) =
        (rows.count("unsubscribe_tokens").await.unwrap(), simulator.mailbox().received());
    simulator.world().reset_requests();
    let daemon = home.daemon().await;
    match moment {
        Moment::Listening => {}
        Moment::Asked(times) => {
            let asked = || simulator.world().request_count(Operation::GetMemberConnections);
            until_true("questions", async || asked() >= times).await;
        }
        Moment::HandingOver => {
            until_true("a token", async || rows.count("unsubscribe_tokens").await.unwrap() > tokens).await;
        }
        Moment::Mailed => until_true("an email", async || simulator.mailbox().received() > received).await,
    }
    // One that is killed leaves nothing that stops the next one.
    home.start(&["backup", name]).kill();
    if home.path(name).exists() {
        fs::remove_file(home.path(name)).unwrap();
    }
    let backup = home.start(&["backup", name]);
    let is_begun = async || parts(home) > 0 || home.path(name).exists();
    until_true("the backup to begin", is_begun).await;
    daemon.running.kill();
    backup.ended().await.well();
    assert_eq!(parts(home), 0);
}

#[tokio::test]
async fn each_backup_of_a_daemon_that_is_killed_restores_to_a_sound_database_that_sends_nothing() {
    let count = count();
    let simulator = simulator(count as u32 + 1).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1).set("gateway.max_in_flight", 4);
    let members: Vec<String> = (1..=count + 1).map(|n| format!("m{n}")).collect();
    home.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    home.run(&["once"]).await.well();
    for (round, member) in members[..count].iter().enumerate() {
        simulator.world().set_status(member, "epic", "EXPIRED").unwrap();
        back_up_at(MOMENTS[round % MOMENTS.len()], &format!("backup-{round}.db"), &home, &simulator).await;
    }
    home.run(&["once"]).await.well();

    simulator.world().set_status(&members[count], "epic", "EXPIRED").unwrap();
    let received = simulator.mailbox().received();
    for round in 0..count {
        let place = format!("restored-{round}.db");
        home.set("database.url", url(&home, &place));
        let restored = home.json(&["restore", &format!("backup-{round}.db")]).await;
        home.run(&["once"]).await.well();
        assert_eq!(simulator.mailbox().received(), received, "backup {round}");
        home.run(&["check"]).await.well();

        let mut rows = TestDatabase::open(&home.path(&place)).await.unwrap();
        assert_eq!(rows.defects().await.unwrap(), [] as [&str; 0]);
        let steps = rows.rows("notice_items", ["lapse_id", "step"]).await.unwrap();
        assert_eq!(steps.iter().collect::<BTreeSet<_>>().len(), steps.len(), "{steps:?}");
        let states = rows.texts("notices", "state").await.unwrap();
        assert!(states.iter().all(|state| state == "held" || state == "sent"), "{states:?}");
        let holds = home.json(&["hold", "list"]).await;
        assert_eq!(holds.len(), 1);
        let hold = &holds[0];
        assert_eq!((&hold["hold_id"], &hold["kind"]), (&restored[0]["hold_id"], &json!("operator")));
        let held = states.iter().filter(|state| *state == "held").count();
        assert_eq!((hold["state"].as_str(), &hold["notices"]), (Some("holding"), &json!(held)));
        assert!(held > 0, "the one that broke last");
    }
    let holds = home.json(&["hold", "list"]).await;
    home.run(&["hold", "release", holds[0]["hold_id"].as_str().unwrap()]).await.well();
    home.run(&["once"]).await.well();
    mails(&simulator, received + 1).await;
}

#[tokio::test]
async fn a_restored_database_waits_for_the_release_and_warns_of_what_is_lost() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let made = home.json(&["backup", "early.db"]).await;
    assert_eq!(made[0]["file"], json!(fs::canonicalize(home.path("early.db")).unwrap()));
    assert_eq!(made[0]["bytes"], json!(fs::metadata(home.path("early.db")).unwrap().len()));
    home.run(&["backup", "early.db"]).await.badly(2, &["exists already"]);
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    home.run(&["once"]).await.well();
    mails(&simulator, 1).await;

    home.run(&["restore", "early.db"]).await.badly(2, &["there is a database", "move", "-wal"]);
    for suffix in ["", "-wal", "-shm"] {
        let file = home.path(&format!("reconnectd.db{suffix}"));
        if file.exists() {
            fs::rename(file, home.path(&format!("lost.db{suffix}"))).unwrap();
        }
    }
    let restored = home.run(&["restore", "early.db"]).await.well();
    for words in ["hold release", "--erase", "rejected", "suppress add"] {
        assert!(restored.stdout.contains(words), "{words}: {}", restored.stdout);
    }
    home.run(&["once"]).await.well();
    let notices = home.json(&["notices", "list"]).await;
    assert_eq!((notices.len(), &notices[0]["state"]), (1, &json!("held")));
    let holds = home.json(&["hold", "list"]).await;
    assert_eq!((&holds[0]["notices"], &holds[0]["would_email"]), (&json!(1), &json!(1)));
    assert_eq!(mails(&simulator, 1).await.len(), 1);
    home.run(&["hold", "release", holds[0]["hold_id"].as_str().unwrap()]).await.well();
    home.run(&["once"]).await.well();
    assert_eq!(mails(&simulator, 2).await.len(), 2);
    let audit = home.json(&["audit", "list"]).await;
    let acts: Vec<_> = audit.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(acts[..3], ["hold_release", "restore", "backup"]);

    home.set("database.url", url(&home, "locked.db"));
    home.set("keys.file", home.path("other.keys").display().to_string());
    home.run(&["keys", "generate"]).await.well();
    let locked = home.run(&["restore", "early.db", "--json"]).await.well();
    assert!(locked.stderr.contains("key ring does not fit"), "{}", locked.stderr);
    assert_eq!(locked.json()[0]["locked_credentials"], 1);
}

#[tokio::test]
async fn on_a_server_both_commands_name_its_tools_without_the_password() {
    let mut home = Home::bare();
    home.set("database.url", "postgres://u:hush@127.0.0.1:1/name?sslmode=require");
    let to = "'postgres://u@127.0.0.1:1/name?sslmode=require'";
    let dump = home.run(&["backup", "it's.dump"]).await.badly(2, &["pg_dump", to, r"--file='it'\''s.dump'"]);
    let restore = home.run(&["restore", "a.dump"]).await.badly(2, &["pg_restore", to, "hold add"]);
    assert!(!format!("{}{}", dump.stderr, restore.stderr).contains("hush"));
}
