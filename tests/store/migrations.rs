//! Databases that an earlier version made.

use crate::{Fixture, now};
use reconnectd::domain::CredentialRules;
use reconnectd::store::testing::TestDatabase;
use sqlx::{ConnectOptions, Connection, migrate::Migrator, sqlite::SqliteConnectOptions};
use std::path::Path;

/// The last version before tables and columns were renamed.
const BEFORE_RENAMES: i64 = 34;

/// One row in each of the tables that a member's history consists of.
const HISTORY: &str = "
    INSERT INTO members (member_id, email, subject, added_at, updated_at)
        VALUES ('alice', 'alice@example.org', 'alice', 1, 1);
    INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at, changed_at)
        VALUES ('alice', 'epic', 'Epic MyChart', 0, 'EXPIRED', '[]', 1, 2);
    INSERT INTO transitions (transition_id, member_id, connection_id, to_status, observed_at, cause, reason)
        VALUES ('t1', 'alice', 'epic', 'CONNECTED', 1, 'sweep', 'first_sight');
    INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, sightings, opened_at)
        VALUES ('l1', 'alice', 'epic', 'open', 2, 1, 2);
    INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, attempts, sent_at)
        VALUES ('n1', 'alice', 0, 'sent', 'due', 3, 3, 1, 4);
    INSERT INTO notice_items (notice_id, lapse_id, connection_id, step) VALUES ('n1', 'l1', 'epic', 0);
    INSERT INTO attempts (notice_id, attempt, started_at, finished_at, outcome) VALUES ('n1', 1, 3, 4, 'sent');
";

/// Writes a database as an earlier version made it.
pub(crate) async fn write_earlier(path: &Path) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(true);
    let mut sql = options.connect().await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut migrator = Migrator::new(folder).await.unwrap();
    migrator.migrations.to_mut().retain(|migration| migration.version <= BEFORE_RENAMES);
    migrator.run_direct(None, &mut sql, false).await.unwrap();
    sqlx::raw_sql(HISTORY).execute(&mut sql).await.unwrap();
    sql.close().await.unwrap();
}

pub(crate) async fn a_database_of_an_earlier_version_keeps_its_rows(f: &Fixture) {
    let path = f.folder.path().join("earlier.db");
    write_earlier(&path).await;
    let url = format!("sqlite://{}", path.display());
    let store = reconnectd::store::Store::open(&url.parse().unwrap()).await.unwrap();
    let alice = "alice".into();
    assert_eq!(
        store
            .list_members(Some(&alice), None, 10, &CredentialRules::stored_tokens(), None)
            .await
            .unwrap()
            .len(),
        1
    );
    let transitions = store.transitions(Some(&alice), None, 10).await.unwrap();
    assert_eq!(transitions.len(), 1);
    let lapses = store.lapses(Some(&alice), None, 10).await.unwrap();
    assert_eq!(lapses[0].opened_at.map(|at| at.timestamp_millis()), Some(2));
    let notices = store.notices(Some(&alice), None, None, 10).await.unwrap();
    assert_eq!(notices[0].notice.state.as_str(), "sent");
    let attempts = store.attempts(&notices[0].notice.id).await.unwrap();
    assert_eq!(attempts[0].outcome.as_deref(), Some("sent"));
    let mut rows = TestDatabase::open(&path).await.unwrap();
    assert_eq!(rows.defects().await.unwrap(), [] as [&str; 0]);
    assert_eq!(rows.tables().await.unwrap(), f.rows().await.tables().await.unwrap());
    assert!(
        store.remove_member(&alice, now()).await.unwrap()
            && store.erase_member(&alice, &"erased:1".into(), now()).await.unwrap()
    );
    let left = rows.contents().await.unwrap();
    assert!(!left.iter().any(|row| row.contains("alice")), "{left:?}");
}
