//! A database of an earlier version, whose migration is killed or frozen.

use crate::aged_database::AgedDatabase;
use crate::harness::{Home, until_true};
use crate::postgres;
use reconnectd::store::testing::TestDatabase;

const VERSION: i64 = 23;
/// Each comes right after a migration.
const KILLS: u32 = 10;

async fn aged() -> Home {
    let home = Home::bare();
    AgedDatabase::filled(&url(&home), VERSION).await.close().await;
    home
}

fn url(home: &Home) -> String {
    format!("sqlite://{}", home.path("reconnectd.db").display())
}

/// The number of its migrations.
async fn applied(url: &str) -> usize {
    let mut database = TestDatabase::connect(&url.parse().unwrap()).await.unwrap();
    database.numbers("_sqlx_migrations", "version").await.unwrap().len()
}

#[tokio::test]
async fn a_migration_that_is_killed_again_and_again_is_completed_by_the_next_start() {
    let (whole, killed) = (aged().await, aged().await);
    whole.run(&["status"]).await.well();
    let all = applied(&url(&whole)).await;
    let mut kills_between = 0;
    for _ in 0..KILLS {
        let before = applied(&url(&killed)).await;
        if before == all {
            break;
        }
        let running = killed.start(&["status"]);
        until_true("a migration", async || applied(&url(&killed)).await > before).await;
        running.kill();
        kills_between += u32::from(applied(&url(&killed)).await < all);
    }
    assert!(kills_between > 0, "no kill met a migration");
    killed.run(&["status"]).await.well();
    assert_eq!(applied(&url(&killed)).await, all);
    let mut contents = Vec::new();
    for home in [&whole, &killed] {
        contents.push(AgedDatabase::create(&url(home)).await.contents().await);
    }
    assert_eq!(contents[0], contents[1]);
}

#[tokio::test]
async fn a_migration_that_is_frozen_on_a_server_keeps_no_other_instance_waiting() {
    let Some(url) = postgres::new_database() else { return };
    AgedDatabase::filled(&url, VERSION).await.close().await;
    let before = applied(&url).await;
    let mut home = Home::bare();
    home.set("database.url", url.clone());
    let frozen = home.start(&["status"]);
    until_true("a migration", async || applied(&url).await > before).await;
    frozen.signal("STOP");
    let by_the_frozen = applied(&url).await;
    home.run(&["status"]).await.well();
    assert!(applied(&url).await > by_the_frozen, "it was frozen in the middle");
    frozen.kill();
}
