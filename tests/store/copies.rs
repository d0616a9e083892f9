//! Copies of a database, of one engine or between both.

use crate::instances::{claim, join, registration, set_seen};
use crate::{Fixture, leases, now, population};
use reconnectd::base::config::DatabaseUrl;
use reconnectd::domain::{EmailAddress, Suppression};
use reconnectd::store::{
    CopiedTable, CopyError, CopyProgress, CopyState, InstanceCommand, Store, StoreError,
};
use tokio_util::sync::CancellationToken;

async fn copy(source: &Fixture, target: &Fixture) -> Result<Vec<CopiedTable>, StoreError> {
    source.store.copy_to(&target.store, now(), &CancellationToken::new(), &mut |_| {}).await
}

#[derive(Clone, Copy)]
enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    async fn fixture(self) -> Fixture {
        match self {
            Self::Sqlite => Fixture::sqlite().await,
            Self::Postgres => Fixture::postgres().await.expect("PostgreSQL"),
        }
    }
}

/// The engines of this machine, in all pairs.
async fn pairs() -> Vec<(Engine, Engine)> {
    let (sqlite, postgres) = (Engine::Sqlite, Engine::Postgres);
    match Fixture::postgres().await {
        None => vec![(sqlite, sqlite)],
        Some(_) => vec![(sqlite, sqlite), (sqlite, postgres), (postgres, sqlite), (postgres, postgres)],
    }
}

/// Both directions between the engines. Each wait for a lock takes a while.
async fn crossed() -> Vec<(Engine, Engine)> {
    match pairs().await.len() {
        1 => vec![(Engine::Sqlite, Engine::Sqlite)],
        _ => vec![(Engine::Sqlite, Engine::Postgres), (Engine::Postgres, Engine::Sqlite)],
    }
}

async fn suppress(store: &Store) -> Result<bool, StoreError> {
    let address: EmailAddress = "ada@example.org".parse().unwrap();
    store.suppress(address.address_hash(), Suppression::Operator, now()).await
}

/// Starts and ends a daemon.
async fn try_daemon(store: &Store) -> Result<(), StoreError> {
    let lock = store.lock()?;
    store.register(&lock, registration("daemon", InstanceCommand::Run), now()).await?;
    store.unregister().await
}

#[tokio::test]
async fn a_copy_and_its_copy_hold_the_rows_of_all_tables() {
    for (from, to) in pairs().await {
        let (first, second, third) = (from.fixture().await, to.fixture().await, from.fixture().await);
        population::fill(&first).await;
        let copied = copy(&first, &second).await.unwrap();
        assert!(copied.iter().all(|table| table.digest.rows > 0));
        let again = copy(&second, &third).await.unwrap();
        let ordered = |mut tables: Vec<CopiedTable>| {
            tables.sort_by(|a, b| a.name.cmp(&b.name));
            tables
        };
        assert_eq!(ordered(copied), ordered(again));
        let contents = async |f: &Fixture| {
            let rows = f.rows().await.contents().await.unwrap().into_iter();
            rows.filter(|row| !row.starts_with("copy_mark: ")).collect::<Vec<_>>()
        };
        assert_eq!(contents(&third).await, contents(&first).await);

        // The number of a deleted row is not given again.
        third.run("INSERT INTO sweeps (sweep_id, started_at) VALUES ('next', 4)").await;
        assert_eq!(third.rows().await.numbers("sweeps", "sequence").await.unwrap(), [1, 2, 4]);
    }
}

#[tokio::test]
async fn nul_is_dropped_on_the_way_to_postgres_only() {
    for (from, to) in pairs().await {
        if matches!(from, Engine::Postgres) {
            continue;
        }
        let (source, target) = (from.fixture().await, to.fixture().await);
        source
            .run("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES ('a' || char(0) || 'c', 1), ('ab', 2)")
            .await;
        copy(&source, &target).await.unwrap();
        let hosts = target.rows().await.texts("sign_in_hosts", "host").await.unwrap();
        assert_eq!(hosts, if matches!(to, Engine::Postgres) { ["ab", "ac"] } else { ["a\0c", "ab"] });
    }
}

#[tokio::test]
async fn a_flag_that_is_none_is_an_error_that_names_its_column() {
    let source = Fixture::sqlite().await;
    let Some(target) = Fixture::postgres().await else { return };
    source.import(&["alice"]).await;
    source.run("INSERT INTO token_refresh_leases (member_id, leased_until, held_by_daemon) VALUES ('alice', 1, 2)").await;
    let copied = copy(&source, &target).await;
    let Err(StoreError::Copy(CopyError::Value { column, value })) = copied else { panic!("{copied:?}") };
    assert_eq!((&*column, &*value), ("token_refresh_leases.held_by_daemon", "2"));
}

#[tokio::test]
async fn the_source_takes_no_work_until_it_is_reopened_and_the_copy_does() {
    for (from, to) in pairs().await {
        let (source, target) = (from.fixture().await, to.fixture().await);
        source.import(&["alice"]).await;
        copy(&source, &target).await.unwrap();

        let mark = source.store.copy_mark().await.unwrap().unwrap();
        assert_eq!((mark.state, mark.at), (CopyState::Copied, now()));
        match &target.url {
            DatabaseUrl::Sqlite(file) => assert_eq!(mark.other, file.display().to_string()),
            DatabaseUrl::Postgres(_) => assert!(mark.other.starts_with("postgres://"), "{}", mark.other),
        }
        assert!(matches!(try_daemon(&source.store).await, Err(StoreError::Copied { .. })));
        assert!(matches!(suppress(&source.store).await, Err(StoreError::Copied { .. })));
        assert!(matches!(copy(&source, &from.fixture().await).await, Err(StoreError::Copied { .. })));
        assert!(target.store.copy_mark().await.unwrap().is_none());
        try_daemon(&target.store).await.unwrap();
        assert!(suppress(&target.store).await.unwrap());

        // Not back into the file or database that it came from.
        let back = copy(&target, &source).await;
        assert!(matches!(back, Err(StoreError::Copy(CopyError::NotEmpty { .. }))), "{back:?}");
        assert!(source.store.reopen().await.unwrap());
        assert!(!source.store.reopen().await.unwrap());
        try_daemon(&source.store).await.unwrap();
        assert!(suppress(&source.store).await.unwrap());
    }
}

#[tokio::test]
async fn a_database_that_is_in_use_or_not_empty_is_refused() {
    for (from, to) in crossed().await {
        let (source, target) = (from.fixture().await, to.fixture().await);
        source.import(&["alice"]).await;
        let again = Fixture { store: source.reopen().await, ..Engine::Sqlite.fixture().await };
        let itself = copy(&source, &again).await;
        assert!(matches!(itself, Err(StoreError::Copy(CopyError::SameDatabase { .. }))), "{itself:?}");

        for used in [&source, &target] {
            let other = used.reopen().await;
            let daemon = join(&other, "daemon").await;
            let refused = copy(&source, &target).await;
            let is_named =
                matches!(refused, Err(StoreError::Locked { .. } | StoreError::Copy(CopyError::InUse { .. })));
            assert!(is_named, "{refused:?}");
            other.unregister().await.unwrap();
            drop(daemon);
            let import = other.import(now()).await.unwrap();
            let refused = copy(&source, &target).await;
            assert!(matches!(refused, Err(StoreError::Importing { .. })), "{refused:?}");
            import.discard().await.unwrap();
        }
        suppress(&target.store).await.unwrap();
        let refused = copy(&source, &target).await;
        let Err(StoreError::Copy(CopyError::NotEmpty { table, .. })) = refused else { panic!("{refused:?}") };
        assert_eq!(table, "suppressions");
        assert!(source.store.copy_mark().await.unwrap().is_none());
        assert!(target.store.copy_mark().await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_writes_meanwhile_fails() {
    for (from, to) in pairs().await {
        let (source, target) = (from.fixture().await, to.fixture().await);
        source.import(&["alice"]).await;
        let other = source.reopen().await;
        let mut write = None;
        let mut begin_write = |_: CopyProgress<'_>| {
            if write.is_none() {
                let other = other.clone();
                write = Some(tokio::spawn(async move { suppress(&other).await }));
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        };
        let stop = CancellationToken::new();
        source.store.copy_to(&target.store, now(), &stop, &mut begin_write).await.unwrap();
        let written = write.expect("a page was copied").await.unwrap();
        assert!(matches!(written, Err(StoreError::Copied { .. })), "{written:?}");
        assert_eq!(source.rows().await.count("suppressions").await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_instance_that_was_presumed_dead_does_not_go_on_after_a_copy() {
    let Some(source) = Fixture::postgres().await else { return };
    leases::queue(&source, 2).await;
    let _stopped = join(&source.store, "stopped").await;
    set_seen(&source, "stopped", 0).await;
    let target = Fixture::sqlite().await;
    copy(&Fixture { store: source.reopen().await, ..Fixture::sqlite().await }, &target).await.unwrap();
    assert!(claim(&source.store).await.is_empty());
    assert!(matches!(source.store.heartbeat(now()).await, Err(StoreError::Copied { .. })));
    assert!(claim(&source.store).await.is_empty());
    let _daemon = join(&target.store, "daemon").await;
    assert_eq!(claim(&target.store).await.len(), 2);
}

#[tokio::test]
async fn no_daemon_starts_on_a_copy_that_was_stopped() {
    for (from, to) in crossed().await {
        let (source, target) = (from.fixture().await, to.fixture().await);
        population::fill(&source).await;
        let stop = CancellationToken::new();
        let stopped = source.store.copy_to(&target.store, now(), &stop, &mut |_| stop.cancel()).await;
        assert!(matches!(stopped, Err(StoreError::Copy(CopyError::Stopped))), "{stopped:?}");
        let is_refused = |result: StoreError| matches!(result, StoreError::IncompleteCopy { .. });
        assert!(is_refused(try_daemon(&target.store).await.unwrap_err()));
        assert!(is_refused(suppress(&target.store).await.unwrap_err()));
        assert!(is_refused(target.store.reopen().await.unwrap_err()));
        assert!(is_refused(copy(&source, &target).await.unwrap_err()));
        try_daemon(&source.store).await.unwrap();
        copy(&source, &to.fixture().await).await.unwrap();
    }
}

#[tokio::test]
async fn a_planted_difference_is_found_and_the_copy_stays_marked() {
    for (from, to) in crossed().await {
        for change in [
            "UPDATE sign_in_hosts SET first_seen_at = -1 WHERE host = 'h7'",
            "DELETE FROM sign_in_hosts WHERE host = 'h7'",
        ] {
            let (source, target) = (from.fixture().await, to.fixture().await);
            population::fill(&source).await;
            target.run(&match to {
                Engine::Sqlite => {
                    format!("CREATE TRIGGER planted AFTER INSERT ON sign_in_hosts BEGIN {change}; END")
                }
                Engine::Postgres => format!(
                    "CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {change}; RETURN NULL; END $$;
                     CREATE TRIGGER planted AFTER INSERT ON sign_in_hosts FOR EACH STATEMENT EXECUTE FUNCTION plant()"
                ),
            })
            .await;
            let copied = copy(&source, &target).await;
            let Err(StoreError::Copy(CopyError::Differs { table })) = copied else { panic!("{copied:?}") };
            assert_eq!(table, "sign_in_hosts");
            assert!(matches!(try_daemon(&target.store).await, Err(StoreError::IncompleteCopy { .. })));
            try_daemon(&source.store).await.unwrap();
        }
    }
}
