//! Databases of each earlier version, with rows in every table: a migration loses none, and breaks no reference.
//! `RECONNECTD_TEST_UPGRADES=all` starts from each version, not only from some.

use crate::{
    aged_database::{AgedDatabase, Contents},
    postgres,
};
use reconnectd::{
    base::config::DatabaseUrl,
    store::{Store, StoreError, testing::TestDatabase},
};
use std::collections::BTreeMap;

/// What a migration does to a table on purpose.
enum Fate {
    /// Its rows are in this table now.
    Renamed(&'static str),
    /// Its rows are in another form elsewhere, or mean nothing anymore.
    Gone,
    /// These columns have other values.
    Changed(&'static [&'static str]),
}
use Fate::{Changed, Gone, Renamed};

const FATES: [(i64, &str, Fate); 5] = [
    (42, "passes", Gone),
    (50, "visits", Gone),
    (70, "renewals", Renamed("token_refresh_leases")),
    (58, "transitions", Changed(&["reason"])),
    (65, "notices", Changed(&["reason"])),
];

/// In the suite, each of these many versions is a start.
const STRIDE: usize = 12;

/// The URL of an empty database for each engine of this machine, and what keeps it.
fn empty_databases() -> Vec<(String, tempfile::TempDir)> {
    let folder = || tempfile::tempdir().unwrap();
    let file = folder();
    let sqlite = format!("sqlite://{}", file.path().join("aged.db").display());
    let mut databases = vec![(sqlite, file)];
    databases.extend(postgres::new_database().map(|url| (url, folder())));
    databases
}

/// Applies the next migration, and looks at what became of the rows.
async fn step(database: &mut AgedDatabase, version: i64) {
    let before = database.contents().await;
    database.migrate_to(version).await;
    let after = database.contents().await;
    let lost = lost(version, &before, &after);
    assert!(lost.is_empty(), "migration {version} loses rows: {lost:#?}");
}

fn lost(version: i64, before: &Contents, after: &Contents) -> Vec<String> {
    let mut lost = Vec::new();
    for (table, rows) in before {
        let fate = FATES.iter().find(|(at, of, _)| *at == version && of == table).map(|(_, _, fate)| fate);
        let (name, changed) = match fate {
            Some(Gone) => continue,
            Some(Renamed(name)) => (*name, &[][..]),
            Some(Changed(columns)) => (table.as_str(), *columns),
            None => (table.as_str(), &[][..]),
        };
        let Some(kept) = after.get(name) else {
            lost.push(format!("table {table}"));
            continue;
        };
        let Some(sample) = kept.first() else {
            lost.extend(rows.iter().map(|row| format!("{table}: {row:?}")));
            continue;
        };
        let common = |row: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            let is_common =
                |column: &&String| sample.contains_key(*column) && !changed.contains(&column.as_str());
            row.iter().filter(|(column, _)| is_common(column)).map(|(a, b)| (a.clone(), b.clone())).collect()
        };
        let columns = rows.first().map(common).unwrap_or_default();
        let mut left: Vec<_> = kept
            .iter()
            .map(|row| row.iter().filter(|(column, _)| columns.contains_key(*column)))
            .map(|row| row.map(|(a, b)| (a.clone(), b.clone())).collect::<BTreeMap<_, _>>())
            .collect();
        for row in rows.iter().map(common) {
            match left.iter().position(|other| *other == row) {
                Some(at) => drop(left.swap_remove(at)),
                None => lost.push(format!("{table}: {row:?} is none of {left:?}")),
            }
        }
    }
    lost
}

fn parsed(url: &str) -> DatabaseUrl {
    url.parse().unwrap()
}

/// The daemon takes the database over, and finds nothing wrong with it.
async fn verify(url: &str) {
    let url = parsed(url);
    Store::open(&url).await.unwrap().close().await;
    let mut rows = TestDatabase::connect(&url).await.unwrap();
    assert_eq!(rows.defects().await.unwrap(), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_every_age_survive_all_later_migrations() {
    for (url, _folder) in empty_databases() {
        let mut database = AgedDatabase::create(&url).await;
        for version in database.versions() {
            step(&mut database, version).await;
            database.fill().await;
        }
        database.close().await;
        verify(&url).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_an_earlier_version_is_brought_to_this_one() {
    let all = std::env::var("RECONNECTD_TEST_UPGRADES").is_ok_and(|starts| starts == "all");
    let stride = if all { 1 } else { STRIDE };
    let count = empty_databases().len();
    for engine in 0..count {
        let (url, _folder) = empty_databases().swap_remove(engine);
        let versions = AgedDatabase::create(&url).await.versions();
        for start in versions.iter().step_by(stride) {
            let (url, _folder) = empty_databases().swap_remove(engine);
            let mut database = AgedDatabase::filled(&url, *start).await;
            for version in versions.iter().filter(|version| *version > start) {
                step(&mut database, *version).await;
            }
            database.close().await;
            verify(&url).await;
        }
    }
}

#[tokio::test]
async fn processes_that_migrate_at_once_all_open_the_database() {
    for engine in 0..empty_databases().len() {
        let (url, _folder) = empty_databases().swap_remove(engine);
        let mut database = AgedDatabase::create(&url).await;
        let first = database.versions()[0];
        database.migrate_to(first).await;
        database.close().await;
        let open = || {
            let url = parsed(&url);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async { Store::open(&url).await.map(drop) })
            })
        };
        for opened in [open(), open(), open(), open()] {
            opened.join().unwrap().unwrap();
        }
        verify(&url).await;
    }
}

/// A kill leaves whole migrations behind, because each is one transaction.
#[tokio::test]
async fn no_migration_leaves_its_transaction() {
    for (url, _folder) in empty_databases() {
        let database = AgedDatabase::create(&url).await;
        assert_eq!(database.versions_outside_of_transactions(), [] as [i64; 0]);
    }
}

#[tokio::test]
async fn a_database_whose_migration_was_another_one_is_refused() {
    for (url, _folder) in empty_databases() {
        let url = parsed(&url);
        Store::open(&url).await.unwrap().close().await;
        let mut rows = TestDatabase::connect(&url).await.unwrap();
        rows.set("_sqlx_migrations", "checksum", &b"other"[..]).await.unwrap();
        let opened = Store::open(&url).await;
        assert!(matches!(opened, Err(StoreError::Migration(_))), "{opened:?}");
    }
}
