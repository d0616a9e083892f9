//! The daemon on a database that an earlier version made.

use crate::aged_database::AgedDatabase;
use crate::harness::{Setup, on_postgres};
use crate::postgres;
use reconnectd::store::testing::TestDatabase;

/// In which the rows of these versions differ most: names, links, sweeps, holds, and the recorded past.
const VERSIONS: [i64; 6] = [23, 34, 72, 97, 122, 130];

#[tokio::test]
async fn the_daemon_watches_and_emails_on_a_database_of_any_earlier_version() {
    for version in VERSIONS {
        if on_postgres() && version < 97 {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let url = match on_postgres() {
            true => postgres::new_database().expect("PostgreSQL"),
            false => format!("sqlite://{}", folder.path().join("aged.db").display()),
        };
        AgedDatabase::filled(&url, version).await.close().await;
        // The key ring of this test opens none of them.
        let mut rows = TestDatabase::connect(&url.parse().unwrap()).await.unwrap();
        rows.run("DELETE FROM credentials").await.unwrap();
        let h = Setup::default().on(&url).start().await;
        h.enrol(&["alice"]).await;
        h.pass().await;
        h.set("alice", "epic", "EXPIRED");
        h.pass_after(chrono::TimeDelta::minutes(15)).await;
        h.app.deliverer.rescue_expired_leases().await.unwrap();
        let alices = h.recipients().into_iter().filter(|to| to == "alice@example.org").count();
        assert_eq!((alices, h.lapse_states("alice").await), (1, vec!["epic open".to_owned()]), "{version}");
    }
}
