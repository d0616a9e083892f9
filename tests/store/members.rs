//! Members come by import, and go.

use crate::{Fixture, now, row};
use reconnectd::{
    domain::{Edit, MemberEdit},
    store::{ImportRow, Store, StoreError, testing::Cell},
};

fn edit(id: &str) -> MemberEdit {
    let (email, locale, time_zone, subject, label) = (None, Edit::Keep, Edit::Keep, Edit::Keep, Edit::Keep);
    MemberEdit { id: id.into(), email, locale, time_zone, subject, label }
}

async fn import(f: &Fixture, edit: MemberEdit) -> u64 {
    let rows = [ImportRow { line: 1, edit, credential: None }];
    f.store.import_all(&rows, now()).await.unwrap().members
}

/// Every member's locale, time zone, subject, and label.
async fn values(f: &Fixture) -> Vec<[String; 4]> {
    f.rows().await.rows("members", ["locale", "time_zone", "subject", "label"]).await.unwrap()
}

pub(crate) async fn an_import_changes_the_values_that_it_mentions(f: &Fixture) {
    let full = MemberEdit {
        email: Some("alice@example.org".parse().unwrap()),
        locale: Edit::Set("es".into()),
        time_zone: Edit::Set(chrono_tz::Europe::Madrid),
        subject: Edit::Set("s-1".into()),
        label: Edit::Set("Ali".into()),
        ..edit("alice")
    };
    import(f, full.clone()).await;
    let all = ["es", "Europe/Madrid", "s-1", "Ali"].map(String::from);
    assert_eq!(values(f).await, std::slice::from_ref(&all));
    import(f, edit("alice")).await;
    assert_eq!(values(f).await, [all]);
    import(f, MemberEdit { locale: Edit::Set("en".into()), ..edit("alice") }).await;
    assert_eq!(values(f).await, [["en", "Europe/Madrid", "s-1", "Ali"].map(String::from)]);
    let cleared = MemberEdit {
        locale: Edit::Clear,
        time_zone: Edit::Clear,
        subject: Edit::Clear,
        label: Edit::Clear,
        ..edit("alice")
    };
    import(f, cleared).await;
    assert_eq!(values(f).await, [["", "", "alice", ""].map(String::from)]);
    assert_eq!(f.rows().await.texts("members", "email").await.unwrap(), ["alice@example.org"]);
}

pub(crate) async fn a_removed_member_is_enrolled_again_with_the_defaults(f: &Fixture) {
    let email = Some("alice@example.org".parse().unwrap());
    let full = MemberEdit { email: email.clone(), subject: Edit::Set("s-1".into()), ..edit("alice") };
    import(f, full).await;
    f.store.remove_member(&"alice".into(), now()).await.unwrap();
    assert_eq!(import(f, edit("alice")).await, 0, "without an address, nobody is enrolled");
    assert_eq!(import(f, MemberEdit { email, ..edit("alice") }).await, 1);
    assert_eq!(values(f).await, [["", "", "alice", ""].map(String::from)]);
}

pub(crate) async fn an_import_keeps_what_is_known_of_an_enrolled_member_and_nothing_of_a_removed_one(
    f: &Fixture,
) {
    const KNOWN: [&str; 3] = ["paused_at", "answered_at", "response_digest"];
    f.import(&["alice"]).await;
    for (removed, kept) in [(false, "1"), (true, "")] {
        if removed {
            f.store.remove_member(&"alice".into(), now()).await.unwrap();
        }
        let mut rows = f.rows().await;
        for time in &KNOWN[..2] {
            rows.set("members", time, 1).await.unwrap();
        }
        rows.set("members", KNOWN[2], &b"1"[..]).await.unwrap();
        f.import(&["alice"]).await;
        assert_eq!(rows.rows("members", KNOWN).await.unwrap(), [[kept; 3].map(String::from)]);
    }
}

pub(crate) async fn an_import_that_is_not_applied_changes_no_member(f: &Fixture) {
    let mut import = f.store.import(now()).await.unwrap();
    import.stage(&[row(1, "alice")]).await.unwrap();
    drop(import);
    assert_eq!(f.rows().await.count("members").await.unwrap(), 0);
    f.import(&["bob"]).await;
    let mut rows = f.rows().await;
    assert_eq!(rows.texts("members", "member_id").await.unwrap(), ["bob"]);
    assert_eq!((rows.count("imports").await.unwrap(), rows.count("import_rows").await.unwrap()), (0, 0));
}

pub(crate) async fn an_import_interrupted_while_it_is_applied_is_finished_by_the_next(f: &Fixture) {
    let mut import = f.store.import(now()).await.unwrap();
    import.stage(&[row(1, "alice"), row(2, "bob")]).await.unwrap();
    drop(import);
    f.rows().await.set("imports", "read_at", 1).await.unwrap();
    f.import(&["carol"]).await;
    let mut rows = f.rows().await;
    assert_eq!(rows.texts("members", "member_id").await.unwrap(), ["alice", "bob", "carol"]);
    assert_eq!(rows.count("import_rows").await.unwrap(), 0);
}

pub(crate) async fn only_one_import_runs_at_a_time(f: &Fixture) {
    let mut first = f.store.import(now()).await.unwrap();
    let second = f.reopen().await.import(now()).await;
    assert!(matches!(second.err(), Some(StoreError::Importing { .. })));
    first.stage(&[row(1, "alice")]).await.unwrap();
    first.discard().await.unwrap();
    let mut rows = f.rows().await;
    assert_eq!((rows.count("imports").await.unwrap(), rows.count("import_rows").await.unwrap()), (0, 0));
    f.reopen().await.import(now()).await.unwrap();
}

pub(crate) async fn an_import_takes_short_steps_only_while_a_daemon_runs(f: &Fixture) {
    let step = async |store: Store| {
        let import = store.import(now()).await.unwrap();
        let step = import.step();
        import.discard().await.unwrap();
        step
    };
    let alone = step(f.store.clone()).await;
    let daemon = f.store.lock().unwrap();
    let beside = [step(f.store.clone()).await, step(f.reopen().await).await];
    assert!(beside.iter().all(|beside| *beside < alone), "{beside:?} {alone}");
    drop(daemon);
    assert_eq!([step(f.store.clone()).await, step(f.reopen().await).await], [alone; 2]);
}

pub(crate) async fn a_member_who_is_removed_keeps_their_history_and_one_who_is_erased_leaves_nothing(
    f: &Fixture,
) {
    f.import(&["alice", "bob"]).await;
    let alice = "alice".into();
    assert!(f.store.remove_member(&alice, now()).await.unwrap());
    assert!(!f.store.remove_member(&alice, now()).await.unwrap());
    assert_eq!(f.rows().await.count("members").await.unwrap(), 2);
    let mut import = f.store.import(now()).await.unwrap();
    import.stage(&[row(1, "alice")]).await.unwrap();
    assert!(f.store.erase_member(&alice, &"erased:1".into(), now()).await.unwrap());
    assert!(!f.store.erase_member(&alice, &"erased:1".into(), now()).await.unwrap());
    let left = f.rows().await.contents().await.unwrap();
    assert!(!left.iter().any(|row| row.contains("alice")), "{left:?}");
    assert!(left.iter().any(|row| row.contains("bob")));
}

/// The files of the database that contain a text.
pub(crate) fn files_with(f: &Fixture, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(f.folder.path()).unwrap() {
        let file = file.unwrap();
        let content = std::fs::read(file.path()).unwrap();
        if content.windows(text.len()).any(|bytes| bytes == text.as_bytes()) {
            found.push(file.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

pub(crate) async fn a_member_of_an_earlier_version_gets_a_place_in_the_order_of_sweeps(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    let places = f.rows().await.numbers("members", "poll_key").await.unwrap();
    assert_ne!(places[0], places[1]);
    assert_eq!(f.rows().await.set("members", "poll_key", Cell::Null).await.unwrap(), 2);
    f.reopen().await;
    assert_eq!(f.rows().await.numbers("members", "poll_key").await.unwrap(), places);
}

pub(crate) async fn an_erased_member_is_in_no_byte_of_the_files(f: &Fixture) {
    // Enough rows that pages are split, and freed by the second import, which nothing uses again.
    let ids: Vec<String> = (0..3_000).map(|n| format!("member-{:04}", n * 7 % 3_000)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    f.import(&ids).await;
    f.import(&ids).await;
    let moved = MemberEdit { email: Some("new-1234@example.net".parse().unwrap()), ..edit("member-1234") };
    import(f, moved).await;
    f.store.remove_member(&"member-0815".into(), now()).await.unwrap();
    let texts = ["member-1234", "new-1234@example.net", "member-0815"];
    for text in texts {
        assert!(!files_with(f, text).is_empty(), "{text} was stored");
    }
    // Another process that has read the database.
    let other = f.reopen().await;
    assert!(other.credentials(&"member-0000".into()).await.unwrap().is_some());
    for id in ["member-1234", "member-0815"] {
        assert!(f.store.erase_member(&id.into(), &"erased:1".into(), now()).await.unwrap());
    }
    assert!(f.store.truncate_log().await.unwrap());
    for text in texts {
        assert_eq!(files_with(f, text), Vec::<String>::new(), "{text}");
    }
    assert!(!files_with(f, "member-0000").is_empty());
}
