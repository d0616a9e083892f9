//! An older database keeps its links and invitations.

use super::engine::query_scalar;
use super::{Redemption, Store};
use crate::domain::{LapseState, MemberId, Time, TokenHash};
use chrono::TimeDelta;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use std::borrow::Cow;

/// The last migration before links had one table.
const BEFORE: i64 = 40;

/// Links: `01` of a notice, used once; `02` of an invitation by email; `03` of an invitation that the operator hands over,
/// used once; `04` of an invitation that was withdrawn.
const OLD_ROWS: &str = "
    INSERT INTO members (member_id, email, subject, added_at, updated_at) VALUES ('m', 'm@example.org', 'm', 0, 0);
    INSERT INTO connections (member_id, connection_id, name, category, is_direct, status, sync_errors, first_seen_at,
        changed_at) VALUES ('m', 'epic', 'Epic', 'OAUTH', 0, 'EXPIRED', '[]', 0, 0);
    INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, sightings, opened_at)
        VALUES ('l', 'm', 'epic', 'open', 0, 2, 0);
    INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before, attempts) VALUES
        ('n', 'm', 'reconnect', 0, 'sent', 'due', 0, 0, 1), ('i', 'm', 'invited', 0, 'sent', 'operator', 0, 0, 1),
        ('w', 'm', 'invited', 0, 'sent', 'operator', 0, 0, 1);
    INSERT INTO links (token_hash, notice_id, member_id, attempt, created_at, expires_at, looked_at) VALUES
        (x'0000000000000000000000000000000000000000000000000000000000000001', 'n', 'm', 1, 0, 1000, 7), (x'0000000000000000000000000000000000000000000000000000000000000002', 'i', 'm', 1, 0, 1000, NULL),
        (x'0000000000000000000000000000000000000000000000000000000000000004', 'w', 'm', 1, 0, 1000, NULL);
    INSERT INTO link_buttons (token_hash, connection_id, lapse_id, redemptions, redeemed_at)
        VALUES (x'0000000000000000000000000000000000000000000000000000000000000001', 'epic', 'l', 1, 5);
    INSERT INTO invitations (invitation_id, member_id, connection_id, name, notice_id, token_hash, expires_at, created_at,
        redemptions, redeemed_at) VALUES
        ('a', 'm', 'cerner', 'Cerner', 'i', NULL, NULL, 0, 0, NULL),
        ('b', 'm', 'kaiser', 'Kaiser', NULL, x'0000000000000000000000000000000000000000000000000000000000000003', 1000, 0, 1, 6);
    INSERT INTO passes (pass_hash, token_hash, connection_id, member_id, until)
        VALUES (x'0000000000000000000000000000000000000000000000000000000000000000', x'0000000000000000000000000000000000000000000000000000000000000001', 'epic', 'm', 900);";

fn hash(last: u8) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[31] = last;
    TokenHash(bytes)
}

#[tokio::test]
async fn links_and_invitations_of_an_older_database_still_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(true);
    let old = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut migrator = super::migrations::for_sqlite();
    let migrations: Vec<_> =
        migrator.iter().filter(|migration| migration.version <= BEFORE).cloned().collect();
    migrator.migrations = Cow::Owned(migrations);
    migrator.run(&old).await.unwrap();
    sqlx::raw_sql(OLD_ROWS).execute(&old).await.unwrap();
    old.close().await;

    let url = format!("sqlite://{}", path.display()).parse().unwrap();
    let store = Store::open(&url).await.unwrap();
    let broken: Vec<String> = query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
        .fetch_all(&store.reader)
        .await
        .unwrap();
    assert_eq!(broken, Vec::<String>::new());
    for (last, connection, redemptions) in [(1, "epic", 1), (2, "cerner", 0), (3, "kaiser", 1)] {
        let record = store.link(hash(last)).await.unwrap().unwrap();
        let [button] = &record.buttons[..] else { panic!("{last}: {record:?}") };
        assert_eq!(record.expires_at.timestamp_millis(), 1000, "{last}");
        assert_eq!(button.connection.id, connection.into(), "{last}");
        assert_eq!((button.state, button.redemptions), (LapseState::Open, redemptions), "{last}");
    }
    assert_eq!(store.link(hash(4)).await.unwrap().unwrap().buttons.len(), 0, "withdrawn");
    assert!(store.link(hash(5)).await.unwrap().is_none());

    let (member, at) = (MemberId::new("m"), Time::UNIX_EPOCH + TimeDelta::milliseconds(500));
    for (last, connection, max, is_redeemed) in
        [(1, "epic", 1, false), (1, "epic", 2, true), (2, "cerner", 1, true), (3, "kaiser", 1, false)]
    {
        let redemption = Redemption {
            link: hash(last),
            member: &member,
            connection: &connection.into(),
            form_key: None,
            form_key_since: at,
            at,
            recheck_at: None,
        };
        assert_eq!(store.redeem(&redemption, max).await.unwrap(), is_redeemed, "{last}, {max}");
    }
    store.erase_member(&member, &"erased:1".into(), Time::UNIX_EPOCH).await.unwrap();
    for last in 1..=4 {
        assert!(store.link(hash(last)).await.unwrap().is_none(), "{last}");
    }
}
