use super::*;
use crate::store::engine::{GroupCommit, run_together};
use crate::store::testing::{TestDatabase, new_store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use std::pin::Pin;

type Connecting = Pin<Box<dyn Future<Output = sqlx::Result<SqliteConnection>> + Send>>;

/// Holds the writer until the sender is dropped.
async fn hold(store: &Store) -> tokio::sync::oneshot::Sender<()> {
    let (held, release) = tokio::sync::oneshot::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        let tx = store.writer.begin(Urgency::Background).await.unwrap();
        began.send(()).unwrap();
        let _ = release.await;
        drop(tx);
    });
    begun.await.unwrap();
    held
}

async fn write_nothing(store: &Store) -> Result<()> {
    store.write(async |_| Ok(())).await
}

#[tokio::test]
async fn an_interactive_write_fails_while_another_process_writes_and_leaves_no_transaction() {
    let (store, _folder) = new_store().await;
    let mut other = TestDatabase::open(store.place.file().unwrap()).await.unwrap();
    other.block_writers().await.unwrap();
    assert!(matches!(write_nothing(&store.interactive()).await, Err(StoreError::Busy)));
    drop(other);
    write_nothing(&store.interactive()).await.unwrap();
    let mut other = TestDatabase::open(store.place.file().unwrap()).await.unwrap();
    other.block_writers().await.unwrap();
}

#[tokio::test]
async fn renewals_come_first_and_people_next() {
    let (store, _folder) = new_store().await;
    let held = hold(&store).await;
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut writes = Vec::new();
    for (name, urgency) in [
        ("sweep 1", Urgency::Background),
        ("sweep 2", Urgency::Background),
        ("press", Urgency::Interactive),
        ("renewal", Urgency::Renewal),
    ] {
        let (store, sender) = (store.clone(), sender.clone());
        writes.push(tokio::spawn(async move {
            let unit = async |_: Tx| {
                let _ = sender.send(name);
                Ok(())
            };
            store.write_with(urgency, Flush::Wait, unit).await.unwrap();
        }));
        tokio::task::yield_now().await;
    }
    drop((sender, held));
    for write in writes {
        write.await.unwrap();
    }
    let mut names = Vec::new();
    while let Some(name) = order.recv().await {
        names.push(name);
    }
    assert_eq!(names, ["renewal", "press", "sweep 1", "sweep 2"]);
}

#[tokio::test]
async fn statements_run_together_wait_for_a_flush_only_if_one_changed_something() {
    for (statement, waits) in [
        ("DELETE FROM sign_in_hosts", false),
        ("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ('host', 1)", true),
    ] {
        let (store, _folder) = new_store().await;
        let store = with_writer(&store, Duration::from_secs(5), Duration::from_secs(3600));
        let held = hold(&store).await;
        let unit =
            async move |mut tx: Tx| run_together(vec![query(statement), query("SELECT 1")], &mut tx).await;
        let first = {
            let store = store.clone();
            tokio::spawn(async move { store.write(unit).await })
        };
        tokio::task::yield_now().await;
        let next = {
            let store = store.clone();
            tokio::spawn(async move { hold(&store).await })
        };
        tokio::task::yield_now().await;
        drop(held);
        let same_transaction = next.await.unwrap();
        if waits {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(!first.is_finished());
            drop(same_transaction);
        }
        let ended = tokio::time::timeout(Duration::from_secs(10), first).await;
        ended.expect("it waits for no other unit").unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_sqlite_rolled_back_by_itself_stops_no_later_write() {
    let (store, _folder) = new_store().await;
    // SQLite does this on a full disk, without telling sqlx.
    store.write(async |mut tx| query("ROLLBACK").execute(&mut tx).await.map(drop)).await.unwrap();
    for _ in 0..2 {
        write_nothing(&store).await.unwrap();
        store.probe_write().await.unwrap();
    }
}

#[tokio::test]
async fn a_unit_in_a_transaction_that_another_unit_broke_runs_again() {
    let (store, _folder) = new_store().await;
    let held = hold(&store).await;
    let add = async |host: &str| {
        let insert = query("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ($1, 1)").bind(host);
        store.execute(insert).await
    };
    let breaking = store.write(async |mut tx| {
        query("ROLLBACK").execute(&mut tx).await?;
        query("no statement").execute(&mut tx).await
    });
    let (first, broken, last, ()) = tokio::join!(add("first"), breaking, add("last"), async { drop(held) });
    assert_eq!((first.unwrap(), broken.is_err(), last.unwrap()), (1, true, 1));
    assert_eq!(store.sign_in_hosts().await.unwrap(), ["first", "last"]);
}

#[tokio::test]
async fn a_unit_that_fails_is_undone_alone() {
    let (store, _folder) = new_store().await;
    let held = hold(&store).await;
    let add = async |host: &str, fails: bool| {
        let insert = query("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ($1, 1)").bind(host);
        store
            .write(async |mut tx| {
                insert.clone().execute(&mut tx).await?;
                if fails { Err(StoreError::Busy) } else { Ok(()) }
            })
            .await
    };
    let (first, failed, last, ()) =
        tokio::join!(add("first", false), add("failed", true), add("last", false), async { drop(held) });
    assert_eq!((first.is_ok(), failed.is_err(), last.is_ok()), (true, true, true));
    assert_eq!(store.sign_in_hosts().await.unwrap(), ["first", "last"]);
}

#[tokio::test]
async fn a_unit_whose_caller_went_away_is_undone_and_stops_nobody() {
    let (store, _folder) = new_store().await;
    let (began, begun) = tokio::sync::oneshot::channel();
    let abandoned = store.clone();
    let caller = tokio::spawn(async move {
        let began = std::sync::Mutex::new(Some(began));
        abandoned
            .write(async |mut tx| {
                query("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ('abandoned', 1)")
                    .execute(&mut tx)
                    .await?;
                let _ = began.lock().unwrap().take().map(|began| began.send(()));
                std::future::pending::<Result<()>>().await
            })
            .await
    });
    begun.await.unwrap();
    caller.abort();
    write_nothing(&store).await.unwrap();
    assert_eq!(store.sign_in_hosts().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_that_cannot_be_written_fails_the_probe() {
    let (store, _folder) = new_store().await;
    store.probe_write().await.unwrap();
    store
        .write(async |mut tx| query("PRAGMA query_only = ON").execute(&mut tx).await.map(drop))
        .await
        .unwrap();
    let error = store.probe_write().await.unwrap_err();
    assert!(matches!(&error, StoreError::Database(_)), "{error}");
}

/// A handle whose transactions wait so long for other programs, and take units for so long.
fn with_writer(store: &Store, wait: Duration, max_time: Duration) -> Store {
    let options = SqliteConnectOptions::new().filename(store.place.file().unwrap()).busy_timeout(wait);
    let connect = move || -> Connecting {
        let options = options.clone();
        Box::pin(async move { options.connect().await })
    };
    let health = store.health().unwrap().clone();
    let writer = GroupCommit::start_bounded(Box::new(connect), health, max_time);
    Store { writer: Writer::Sqlite(writer), ..store.clone() }
}

#[tokio::test]
async fn a_lock_that_outlasts_the_wait_for_it_fails_the_probe_until_it_is_released() {
    let (store, _folder) = new_store().await;
    let impatient = with_writer(&store, Duration::from_millis(10), Duration::ZERO);
    let mut other = TestDatabase::open(store.place.file().unwrap()).await.unwrap();
    other.block_writers().await.unwrap();
    let error = impatient.probe_write().await.unwrap_err();
    assert_eq!(error.code(), "database_locked");
    assert!(matches!(store.probe_write().await, Err(StoreError::Busy)));
    drop(other);
    store.probe_write().await.unwrap();
    assert!(!store.health().unwrap().is_locked_out());
}

#[tokio::test]
async fn after_a_damaged_page_was_read_nothing_begins() {
    let (store, _folder) = new_store().await;
    let path = store.place.file().unwrap();
    let mut rows = TestDatabase::open(path).await.unwrap();
    rows.run("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    let roots = rows.rows("sqlite_master", ["name", "rootpage"]).await.unwrap();
    let [_, root] = roots.iter().find(|[name, _]| name == "lapses").unwrap();
    let place = (root.parse::<u64>().unwrap() - 1) * 4096;
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xa5; 4096], place).unwrap();
    let lease = async || store.lease_refresh(&"alice".into(), Time::UNIX_EPOCH, Time::UNIX_EPOCH).await;
    lease().await.unwrap();
    let damaged = |error| matches!(error, StoreError::Damaged(_));
    let lapses = query("SELECT * FROM lapses").fetch_all(&store.reader).await;
    assert!(damaged(lapses.unwrap_err()));
    assert!(damaged(lease().await.unwrap_err()));
    assert!(damaged(store.probe_write().await.unwrap_err()));
}

#[tokio::test]
async fn after_a_failed_transaction_a_lease_waits_until_it_is_durable() {
    let (store, _folder) = new_store().await;
    // Fails when the transaction is committed, as on a full disk.
    let lease = async || {
        let unit = async |mut tx: Tx| {
            query("PRAGMA defer_foreign_keys = ON").execute(&mut tx).await?;
            query("INSERT INTO token_subjects (member_id, key_id, hash) VALUES ('nobody', 'k', x'00')")
                .execute(&mut tx)
                .await
                .map(drop)
        };
        store.write_with(Urgency::Renewal, Flush::Later, unit).await
    };
    lease().await.unwrap();
    while !store.health().unwrap().is_failing() {
        tokio::task::yield_now().await;
    }
    lease().await.unwrap_err();
    store.probe_write().await.unwrap();
    lease().await.unwrap();
}

#[tokio::test]
async fn what_a_deleted_write_ahead_log_had_is_rescued_unless_the_file_is_gone_too() {
    for (deleted, is_rescued) in [(vec![], false), (vec!["-wal"], true), (vec!["-wal", ""], false)] {
        let (store, _folder) = new_store().await;
        let host = "INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ('in the log', 1)";
        store.execute(query(host)).await.unwrap();
        let path = store.place.file().unwrap().to_owned();
        for ending in &deleted {
            std::fs::remove_file(format!("{}{ending}", path.display())).unwrap();
        }
        assert_eq!(store.rescue_log().await, is_rescued, "{deleted:?}");
        if is_rescued {
            let mut rows = TestDatabase::open(&path).await.unwrap();
            assert_eq!(rows.texts("sign_in_hosts", "host").await.unwrap(), ["in the log"]);
        }
    }
}

#[tokio::test]
async fn while_this_process_writes_an_interactive_write_fails_but_no_background_write_and_no_probe() {
    let (store, _folder) = new_store().await;
    let (held, interactive) = (hold(&store).await, store.interactive());
    let background = interactive.background();
    let patient = tokio::spawn(async move { write_nothing(&background).await });
    tokio::task::yield_now().await;
    let (probed, refused) = tokio::join!(store.probe_write(), write_nothing(&interactive));
    assert!(probed.is_ok() && matches!(refused, Err(StoreError::Busy)));
    drop(held);
    write_nothing(&interactive).await.unwrap();
    patient.await.unwrap().unwrap();
}
