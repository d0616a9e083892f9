//! The modes and owners of the files that the program writes.

use crate::harness::{Home, Running, simulator};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

/// The mode and the owner of each file in the folder, and in its folder `outbox`.
fn files(home: &Home) -> Vec<(String, u32, u32)> {
    let mut files = Vec::new();
    for folder in ["", "outbox"] {
        for file in fs::read_dir(home.path(folder)).unwrap() {
            let file = file.unwrap();
            let metadata = file.metadata().unwrap();
            let name = file.file_name().to_string_lossy().into_owned();
            files.push((name, metadata.permissions().mode() & 0o777, metadata.uid()));
        }
    }
    files.retain(|(name, ..)| !["reconnectd.toml", "members.jsonl"].contains(&name.as_str()));
    files.sort();
    files
}

/// Runs a pass that sends an email, with umask 0, and leaves the files of a daemon that still runs.
async fn written(home: &mut Home, simulator: &reconnectd::sim::Simulator) -> Vec<(String, u32, u32)> {
    let outbox = home.path("outbox").display().to_string();
    home.set("sweep.confirm_sweeps", 1).set("email.transport", "file").set("email.directory", outbox);
    home.write("members.jsonl", &simulator.world().import_line("alice").to_string());
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    for arguments in ["keys generate", "members import members.jsonl", "once"] {
        let mut shell = home.program_named("sh");
        shell.args(["-c", "umask 0; exec \"$0\" --config reconnectd.toml $1"]);
        shell.args([env!("CARGO_BIN_EXE_reconnectd"), arguments]);
        Running::start(shell).ended().await.well();
    }
    let daemon = home.daemon().await;
    let files = files(home);
    daemon.running.stopped().await.well();
    files
}

#[tokio::test]
async fn files_are_for_the_daemons_user_only_whatever_the_umask() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    let files = written(&mut home, &simulator).await;
    let expected =
        ["reconnectd.db", "reconnectd.db-shm", "reconnectd.db-wal", "reconnectd.db.lock", "reconnectd.keys"];
    for name in expected {
        assert!(files.iter().any(|(file, ..)| file == name), "{name}: {files:?}");
    }
    assert!(files.iter().any(|(file, ..)| file.ends_with(".eml")), "{files:?}");
    for (name, mode, _) in files {
        assert_eq!(mode, if name == "outbox" { 0o700 } else { 0o600 }, "{name}: {mode:o}");
    }
}

#[tokio::test]
async fn what_root_creates_belongs_to_the_owner_of_the_directory() {
    const OWNER: u32 = 4321;
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    // Only root can give a directory away.
    if chown(home.path("."), Some(OWNER), None).is_err() {
        return;
    }
    for (name, _, owner) in written(&mut home, &simulator).await {
        assert_eq!(owner, OWNER, "{name}");
    }
}

#[tokio::test]
async fn the_check_warns_about_a_database_that_others_can_read() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    for (mode, expected) in [(0o644, "warning"), (0o600, "ok")] {
        fs::set_permissions(home.path("reconnectd.db"), fs::Permissions::from_mode(mode)).unwrap();
        let checked = home.json(&["check"]).await;
        let line = checked.iter().find(|line| line["check"] == "database").unwrap();
        assert_eq!(line["level"], expected, "{mode:o}");
    }
}
