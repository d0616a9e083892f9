//! Backups of a database file, and their restoration.

use crate::{Fixture, migrations::write_earlier, now, population};
use chrono::TimeDelta;
use reconnectd::{
    domain::{Actor, Edit, MemberEdit, Time},
    store::{
        Backup, BackupError, ClaimLimits, ImportRow, Restoration, Restored, Store, StoreError,
        testing::TestDatabase,
    },
};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PART: &str = ".reconnectd-part";
/// Less than SQLite waits for a lock.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of the file, in bytes.
const PAGE: usize = 4096;

async fn back_up(f: &Fixture, target: &Path) -> Result<Backup, StoreError> {
    f.store.back_up(target, now(), &CancellationToken::new(), &mut |_| {}).await
}

async fn begin(from: &Path, place: &Path) -> Result<Restoration, StoreError> {
    Restoration::begin(from, place, &CancellationToken::new(), &mut |_| {}).await
}

async fn restore(from: &Path, place: &Path) -> Result<Restored, StoreError> {
    begin(from, place).await?.finish(Actor::Command("ops".into()), now()).await
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> BackupError {
    match result {
        Err(StoreError::Backup(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn opened(place: &Path) -> Store {
    Store::open(&format!("sqlite://{}", place.display()).parse().unwrap()).await.unwrap()
}

/// The files beside the database, apart from its own.
fn others(f: &Fixture) -> Vec<String> {
    let files = fs::read_dir(f.folder.path()).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<_> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with("store.db"));
    names.sort();
    names
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    format!("{}{suffix}", path.display()).into()
}

pub(crate) async fn a_backup_has_every_row_and_replaces_no_file(f: &Fixture) {
    population::fill(f).await;
    let file = f.folder.path().join("backup.db");
    let before = f.rows().await.contents().await.unwrap();
    // It needs no lock that a writer needs.
    let mut writer = f.rows().await;
    writer.block_writers().await.unwrap();
    let made = back_up(f, &file).await.unwrap();
    drop(writer);
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!((made.file, made.bytes), (file.clone(), metadata.len()));
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let mut copy = TestDatabase::open(&file).await.unwrap();
    assert_eq!(copy.contents().await.unwrap(), before);
    assert_eq!(copy.defects().await.unwrap(), [] as [&str; 0]);
    drop(copy);
    let bytes = fs::read(&file).unwrap();
    assert!(matches!(refusal(back_up(f, &file).await), BackupError::Exists { .. }));
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(others(f), ["backup.db"]);
}

pub(crate) async fn a_backup_that_cannot_be_written_leaves_nothing(f: &Fixture) {
    let folder = f.folder.path();
    let refused = async |name: &str| refusal(back_up(f, &folder.join(name)).await);
    assert!(matches!(refused("store.db").await, BackupError::IsDatabase { .. }));
    assert!(matches!(refused("missing/backup.db").await, BackupError::Write { .. }));
    fs::create_dir(folder.join("a-folder")).unwrap();
    assert!(matches!(refused("a-folder").await, BackupError::Exists { .. }));
    symlink(folder.join("nothing"), folder.join("a-link")).unwrap();
    assert!(matches!(refused("a-link").await, BackupError::Exists { .. }));
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = f.store.back_up(&folder.join("stopped.db"), now(), &stop, &mut |_| {}).await;
    assert!(matches!(refusal(stopped), BackupError::Stopped));
    assert_eq!(others(f), ["a-folder", "a-link"]);
}

pub(crate) async fn what_a_killed_backup_left_is_deleted_and_nothing_else(f: &Fixture) {
    let file = f.folder.path().join("backup.db");
    let part = with(&file, PART);
    let beside = with(&part, "-journal");
    fs::write(&part, "half a database").unwrap();
    fs::write(&beside, "and its journal").unwrap();
    let locked = File::open(&part).unwrap();
    locked.lock().unwrap();
    assert!(matches!(refusal(back_up(f, &file).await), BackupError::InProgress { .. }));
    assert_eq!(fs::read(&part).unwrap(), b"half a database", "another process writes it");
    let elsewhere = f.folder.path().join("elsewhere.db");
    back_up(f, &elsewhere).await.unwrap();
    assert!(part.exists() && beside.exists(), "nor does a command for another file delete it");
    fs::remove_file(&elsewhere).unwrap();
    drop(locked);
    back_up(f, &elsewhere).await.unwrap();
    assert_eq!(others(f), ["elsewhere.db"], "but it deletes what a killed process left");
    fs::remove_file(&elsewhere).unwrap();
    fs::write(&part, "half a database").unwrap();
    fs::write(&beside, "and its journal").unwrap();
    back_up(f, &file).await.unwrap();
    assert_eq!(others(f), ["backup.db"]);

    let precious = f.folder.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&precious, &part).unwrap();
    assert!(matches!(refusal(back_up(f, &file).await), BackupError::InTheWay { .. }));
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    // A kill between the two steps of the publication leaves two names of one file.
    fs::remove_file(&part).unwrap();
    fs::hard_link(&precious, &part).unwrap();
    back_up(f, &file).await.unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert_eq!(others(f), ["backup.db", "precious"]);
}

pub(crate) async fn an_erased_member_is_in_no_byte_of_later_backups(f: &Fixture) {
    let ids: Vec<String> = (0..600).map(|n| format!("member-{:04}", n * 7 % 600)).collect();
    f.import(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let edit = MemberEdit {
        id: "member-0123".into(),
        email: Some("secret-address@example.net".parse().unwrap()),
        locale: Edit::Keep,
        time_zone: Edit::Keep,
        subject: Edit::Set("secret-subject".into()),
        label: Edit::Set("Secret Label".into()),
    };
    f.store.import_all(&[ImportRow { line: 1, edit, credential: None }], now()).await.unwrap();
    f.run(
        "INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at, changed_at)
             VALUES ('member-0123', 'secret-source', 'Secret Clinic', FALSE, 'EXPIRED', '[]', 1, 2);
         INSERT INTO transitions (transition_id, member_id, connection_id, to_status, observed_at, cause, reason)
             VALUES ('t1', 'member-0123', 'secret-source', 'EXPIRED', 1, 'sweep', 'first_seen');
         INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations, opened_at)
             VALUES ('l1', 'member-0123', 'secret-source', 'open', 2, 1, 2);
         INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before)
             VALUES ('n1', 'member-0123', 0, 'sent', 'accepted', 3, 3);
         INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step, extra)
             VALUES ('n1', 'l1', 'secret-source', 0, TRUE, FALSE);
         INSERT INTO events (event_id, type, member_id, data, state, created_at, retry_until, next_at)
             VALUES ('e1', 'notice.sent', 'member-0123', '{\"name\":\"Secret Clinic\"}', 'delivered', 1, 2, NULL);",
    )
    .await;
    let texts = [
        "member-0123",
        "secret-address@example.net",
        "secret-subject",
        "Secret Label",
        "secret-source",
        "Secret Clinic",
    ];
    let found_in = |file: &Path| {
        let content = fs::read(file).unwrap();
        let is_found = |text: &&&str| content.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        texts.iter().filter(is_found).copied().collect::<Vec<_>>()
    };
    let (earlier, later) = (f.folder.path().join("earlier.db"), f.folder.path().join("later.db"));
    back_up(f, &earlier).await.unwrap();
    assert_eq!(found_in(&earlier), texts);
    assert!(f.store.erase_member(&"member-0123".into(), &"erased:1".into(), now()).await.unwrap());
    back_up(f, &later).await.unwrap();
    assert_eq!(found_in(&later), [] as [&str; 0]);
}

pub(crate) async fn an_erasure_that_waits_for_a_reader_stops_no_writer(f: &Fixture) {
    f.import(&["alice"]).await;
    // Like a backup.
    let mut reader = f.rows().await;
    reader.run("BEGIN; SELECT count(*) FROM members").await.unwrap();
    f.import(&["bob"]).await;
    let store = f.reopen().await;
    let truncation = tokio::spawn(async move { store.truncate_log().await });
    for n in 0..5 {
        timeout(PATIENCE, f.import(&[&format!("member-{n}")])).await.expect("the writer is free");
    }
    reader.run("COMMIT").await.unwrap();
    truncation.await.unwrap().unwrap();
    assert!(f.store.truncate_log().await.unwrap());
}

/// Notices in each state and of each kind, and what a process held.
async fn queue(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    f.run(
        "INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at, changed_at)
             VALUES ('alice', 'epic', '', FALSE, 'EXPIRED', '[]', 1, 2), ('bob', 'epic', '', FALSE, 'EXPIRED', '[]', 1, 2);
         INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations, opened_at)
             VALUES ('l1', 'alice', 'epic', 'open', 2, 1, 2), ('l2', 'bob', 'epic', 'open', 2, 1, 2);
         INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before, attempts, leased_until, holder)
             VALUES ('n1', 'alice', 'reconnect', 0, 'queued', 'first_notice', 3, 3, 0, NULL, NULL),
                ('n2', 'bob', 'reconnect', 0, 'sending', 'first_notice', 3, 3, 1, 9, 'i1'),
                ('n3', 'alice', 'invited', 0, 'queued', 'invitation', 3, 3, 0, NULL, NULL),
                ('n4', 'bob', 'recovered', 0, 'sending', 'recovery_notice', 3, 3, 1, 9, 'i1'),
                ('n5', 'alice', 'invited', 0, 'sent', 'accepted', 3, 3, 1, NULL, NULL);
         INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step, extra)
             VALUES ('n1', 'l1', 'epic', 0, TRUE, FALSE), ('n2', 'l2', 'epic', 0, TRUE, FALSE);
         INSERT INTO attempts (notice_id, attempt, started_at) VALUES ('n2', 1, 3), ('n4', 1, 3);
         INSERT INTO events (event_id, type, member_id, data, state, created_at, retry_until, next_at, leased_until, holder)
             VALUES ('e1', 'notice.sent', 'alice', '{}', 'sending', 1, 2, 1, 9, 'i1');
         INSERT INTO token_refresh_leases (member_id, leased_until, held_by_daemon) VALUES ('alice', 1, TRUE);
         INSERT INTO instances (instance_id, command, version, key_ids, started_at, seen_at)
             VALUES ('i1', 'run', '0', '[]', 1, 1772441000000);",
    )
    .await;
}

pub(crate) async fn after_a_restore_everything_that_was_queued_is_held(f: &Fixture) {
    queue(f).await;
    let (file, place) = (f.folder.path().join("backup.db"), f.folder.path().join("restored.db"));
    back_up(f, &file).await.unwrap();
    let bytes = fs::read(&file).unwrap();
    let restored = restore(&file, &place).await.unwrap();
    assert_eq!((&restored.from, &restored.place), (&file, &place));
    let made_at: Time = "2026-03-02T08:43:20Z".parse().unwrap();
    assert_eq!(restored.as_of, Some(made_at));
    assert_eq!(fs::read(&file).unwrap(), bytes, "the backup stays as it is");
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(others(f), ["backup.db", "restored.db", "restored.db.import", "restored.db.lock"]);

    let store = opened(&place).await;
    let holds = store.active_holds().await.unwrap();
    assert_eq!(
        (holds.len(), &holds[0].id, holds[0].notices, holds[0].would_email),
        (1, &restored.hold.id, 4, 4)
    );
    assert!(holds[0].reason.contains("backup.db"));
    let mut rows = TestDatabase::open(&place).await.unwrap();
    assert_eq!(rows.defects().await.unwrap(), [] as [&str; 0]);
    assert_eq!(rows.texts("notices", "state").await.unwrap(), ["held", "held", "held", "held", "sent"]);
    assert_eq!(rows.texts("attempts", "outcome").await.unwrap(), ["interrupted", "interrupted"]);
    assert_eq!(
        rows.rows("events", ["event_id", "state"]).await.unwrap(),
        [["e1", "queued"].map(String::from)]
    );
    for table in ["instances", "token_refresh_leases"] {
        assert_eq!(rows.count(table).await.unwrap(), 0, "{table}");
    }
    let audit = store.audit(None, Time::UNIX_EPOCH, None, 10).await.unwrap();
    let acts: Vec<_> = audit.iter().map(|row| (row.actor.as_str(), row.action.as_str())).collect();
    assert_eq!(acts, [("command:ops", "restore")]);
    let limits = ClaimLimits::slots(10);
    let claimed = store.claim_notices(now(), now() + TimeDelta::minutes(1), &limits).await.unwrap();
    assert!(claimed.is_empty(), "{claimed:?}");
    store.release_hold(&restored.hold.id, now()).await.unwrap();
    let states = rows.texts("notices", "state").await.unwrap();
    assert_eq!(states, ["queued", "queued", "queued", "queued", "sent"]);
    store.close().await;
}

pub(crate) async fn a_restore_replaces_nothing_and_waits_for_no_daemon(f: &Fixture) {
    f.import(&["alice"]).await;
    let (file, place) = (f.folder.path().join("backup.db"), f.folder.path().join("restored.db"));
    back_up(f, &file).await.unwrap();
    for name in ["restored.db", "restored.db-wal", "restored.db-journal"] {
        let taken = f.folder.path().join(name);
        fs::write(&taken, "older").unwrap();
        let refused = refusal(restore(&file, &place).await);
        assert!(matches!(refused, BackupError::Occupied { .. } | BackupError::Leftover { .. }), "{refused}");
        assert_eq!(fs::read(&taken).unwrap(), b"older");
        fs::remove_file(&taken).unwrap();
    }
    let store = opened(&place).await;
    let daemon = store.lock().unwrap();
    let moved = f.folder.path().join("moved.db");
    fs::rename(&place, &moved).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::rename(with(&place, suffix), with(&moved, suffix));
    }
    assert!(matches!(restore(&file, &place).await, Err(StoreError::Locked { .. })));
    drop(daemon);
    // Somebody creates a database in the last moment.
    let begun = begin(&file, &place).await.unwrap();
    fs::write(&place, "newer").unwrap();
    let finished = begun.finish(Actor::Command("ops".into()), now()).await;
    assert!(matches!(refusal(finished), BackupError::Occupied { .. }));
    assert_eq!(fs::read(&place).unwrap(), b"newer");
    assert!(!others(f).iter().any(|name| name.contains(PART)), "{:?}", others(f));
}

pub(crate) async fn a_file_that_is_no_sound_backup_is_refused(f: &Fixture) {
    let ids: Vec<String> = (0..500).map(|n| format!("member-{n}")).collect();
    f.import(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let folder = f.folder.path();
    let (file, place) = (folder.join("backup.db"), folder.join("restored.db"));
    back_up(f, &file).await.unwrap();
    let bytes = fs::read(&file).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("text"), "no database at all, but long enough for a header of SQLite".repeat(20))
        .unwrap();
    fs::write(folder.join("truncated"), &bytes[..bytes.len() / 2]).unwrap();
    let mut damaged = bytes.clone();
    let page = bytes.len() / 2 / PAGE * PAGE;
    damaged[page..page + 64].fill(0xff);
    fs::write(folder.join("damaged"), damaged).unwrap();
    for (name, statement) in [
        ("other", "DROP TABLE _sqlx_migrations"),
        ("newer", "UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1"),
        ("dangling", "PRAGMA foreign_keys = OFF; INSERT INTO links (token_hash, kind, member_id, created_at, expires_at)
            VALUES (x'00', 'invitation', 'nobody', 1, 2)"),
        ("marked", "INSERT INTO copy_mark (id, state, other, marked_at) VALUES (1, 'copied', 'elsewhere', 1)"),
    ] {
        fs::write(folder.join(name), &bytes).unwrap();
        TestDatabase::open(&folder.join(name)).await.unwrap().run(statement).await.unwrap();
    }
    for name in
        ["missing", ".", "empty", "text", "truncated", "damaged", "other", "newer", "dangling", "marked"]
    {
        let refused = refusal(restore(&folder.join(name), &place).await);
        assert!(matches!(refused, BackupError::Unusable { .. }), "{name}: {refused}");
        assert!(!place.exists(), "{name}");
    }
    assert!(!others(f).iter().any(|name| name.contains(PART)), "{:?}", others(f));
    restore(&file, &place).await.unwrap();
}

pub(crate) async fn a_copy_of_the_files_is_restored_with_its_log(f: &Fixture) {
    f.import(&["alice"]).await;
    let copy = f.folder.path().join("copied.db");
    fs::copy(f.folder.path().join("store.db"), &copy).unwrap();
    fs::copy(f.folder.path().join("store.db-wal"), with(&copy, "-wal")).unwrap();
    let place = f.folder.path().join("restored.db");
    restore(&copy, &place).await.unwrap();
    let mut rows = TestDatabase::open(&place).await.unwrap();
    assert_eq!(rows.texts("members", "member_id").await.unwrap(), ["alice"]);
}

pub(crate) async fn an_earlier_version_s_backup_is_brought_to_this_version(f: &Fixture) {
    let (file, place) = (f.folder.path().join("earlier.db"), f.folder.path().join("restored.db"));
    write_earlier(&file).await;
    restore(&file, &place).await.unwrap();
    let mut rows = TestDatabase::open(&place).await.unwrap();
    assert_eq!(rows.tables().await.unwrap(), f.rows().await.tables().await.unwrap());
    assert_eq!(rows.texts("members", "member_id").await.unwrap(), ["alice"]);
}
