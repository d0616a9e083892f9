//! Migrations carry the rows of older databases over.

use crate::domain::NoticeReason;
use sqlx::{Connection, SqliteConnection, migrate::Migrator};

/// Every code that an earlier version stored, with its present name.
const REASONS: [(&str, NoticeReason); 16] = [
    ("first_notice", NoticeReason::FirstNotice),
    ("member_paused", NoticeReason::Paused),
    ("no_token", NoticeReason::TokenUnavailable),
    ("way_unclear", NoticeReason::OauthUrlUnavailable),
    ("no_way_to_reconnect", NoticeReason::OauthUrlRefused),
    ("cannot_be_written", NoticeReason::RenderFailed),
    ("mail_setup_refused", NoticeReason::SmtpMisconfigured),
    ("refused_for_now", NoticeReason::TransientFailure),
    ("refused", NoticeReason::PermanentFailure),
    ("too_many_attempts", NoticeReason::AttemptsExhausted),
    ("unconfirmed", NoticeReason::OutcomeUnknown),
    ("asked_for", NoticeReason::Resend),
    ("operator", NoticeReason::Invitation),
    ("retried", NoticeReason::RetryRequested),
    ("withdrawn", NoticeReason::InvitationWithdrawn),
    ("closed", NoticeReason::LapseClosed),
];

async fn apply(database: &mut SqliteConnection, versions: std::ops::Range<i64>) {
    let migrator: Migrator = super::migrations::for_sqlite();
    for migration in migrator.migrations.iter().filter(|migration| versions.contains(&migration.version)) {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut *database).await.unwrap();
    }
}

async fn insert(database: &mut SqliteConnection, notice: &str, kind: &str, reason: &str) {
    sqlx::query(
        "INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before)
         VALUES ($1, 'alice', $2, 0, 'queued', $3, 0, 0)",
    )
    .bind(notice)
    .bind(kind)
    .bind(reason)
    .execute(database)
    .await
    .unwrap();
}

#[tokio::test]
async fn stored_reason_codes_and_outcomes_get_their_present_names() {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut database).await.unwrap();
    apply(&mut database, 0..65).await;
    for (old, _) in REASONS {
        insert(&mut database, old, "reconnect", old).await;
        sqlx::query("INSERT INTO attempts (notice_id, attempt, started_at, outcome, reason) VALUES ($1, 1, 0, 'waiting', $1)")
            .bind(old)
            .execute(&mut database)
            .await
            .unwrap();
    }
    insert(&mut database, "recovery", "recovered", "recovered").await;
    insert(&mut database, "cancelled", "reconnect", "recovered").await;
    sqlx::query("UPDATE notices SET fresh_after = 7").execute(&mut database).await.unwrap();
    sqlx::query("INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, live) VALUES ('recovery', 'l', 'epic', 0, 1)")
        .execute(&mut database)
        .await
        .unwrap();

    apply(&mut database, 65..72).await;
    let reason = async |database: &mut SqliteConnection, notice: &str| -> (String, i64) {
        sqlx::query_as("SELECT reason, attempts_before_retry FROM notices WHERE notice_id = $1")
            .bind(notice.to_owned())
            .fetch_one(database)
            .await
            .unwrap()
    };
    for (old, new) in REASONS {
        assert_eq!(reason(&mut database, old).await, (new.as_str().to_owned(), 7), "{old}");
    }
    let recovery = NoticeReason::RecoveryNotice.as_str();
    assert_eq!(reason(&mut database, "recovery").await.0, recovery);
    assert_eq!(reason(&mut database, "cancelled").await.0, NoticeReason::Recovered.as_str());
    let attempt: (String, String) =
        sqlx::query_as("SELECT outcome, reason FROM attempts WHERE notice_id = 'no_token'")
            .fetch_one(&mut database)
            .await
            .unwrap();
    assert_eq!(attempt, ("deferred".to_owned(), NoticeReason::TokenUnavailable.as_str().to_owned()));

    let again = "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step)
        VALUES ('cancelled', 'l', 'epic', 0, 1)";
    assert!(sqlx::query(again).execute(&mut database).await.is_err(), "a step is still planned once");
}

/// A row in each table whose columns or codes were renamed.
const OLD_ROWS: &str = "
    INSERT INTO members (member_id, email, subject, answer_digest, added_at, updated_at)
        VALUES ('alice', 'alice@example.org', 'alice', x'07', 0, 0);
    INSERT INTO visits VALUES (0, 'example.org', 'look', 'machine', 2), (0, 'example.org', 'press', 'person', 3);
    INSERT INTO links (token_hash, kind, member_id, created_at, expires_at, looked_at, opened_at)
        VALUES (x'01', 'invitation', 'alice', 0, 9, 4, 5);
    INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, sightings, parting)
        VALUES ('l', 'alice', 'epic', 'suspected', 0, 6, 'delete');
    INSERT INTO sweeps (sweep_id, started_at, stopped) VALUES ('s', 0, 'most_polls_failed');
    INSERT INTO rechecks VALUES ('alice', 'redemption', 8, 7, 2);
    INSERT INTO renewals (member_id, leased_until, by_instance) VALUES ('alice', 9, 1);
    INSERT INTO access_tokens VALUES ('alice', 'k', x'00', 11);
    INSERT INTO transitions VALUES
        ('1', 'alice', 'epic', NULL, 'CONNECTED', 0, 'sweep', 'first_sight'),
        ('2', 'alice', 'epic', NULL, 'CONNECTED', 0, 'sweep', 'still_suspected'),
        ('3', 'alice', 'epic', NULL, 'CONNECTED', 0, 'sweep', 'dismissed_before'),
        ('4', 'alice', 'epic', NULL, 'CONNECTED', 0, 'sweep', 'vanished'),
        ('5', 'alice', 'epic', NULL, 'CONNECTED', 0, 'sweep', 'parting_shown'),
        ('6', 'alice', 'epic', NULL, 'CONNECTED', 0, 'sweep', 'recovered');";

#[tokio::test]
async fn renamed_columns_and_codes_keep_their_values() {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut database).await.unwrap();
    apply(&mut database, 0..50).await;
    sqlx::raw_sql(OLD_ROWS).execute(&mut database).await.unwrap();
    apply(&mut database, 50..72).await;
    for (sql, expected) in [
        ("SELECT group_concat(action || client || requests) FROM link_requests", "viewbot2,presshuman3"),
        ("SELECT last_viewed_at || ' ' || first_opened_at FROM links", "4 5"),
        ("SELECT consecutive_observations || disconnect_intent FROM lapses", "6delete"),
        ("SELECT ended_early_because FROM sweeps", "most_polls_failed"),
        ("SELECT purpose || due_at || since FROM rechecks", "redemption87"),
        ("SELECT leased_until || ' ' || held_by_daemon FROM token_refresh_leases", "9 1"),
        ("SELECT refresh_at || '' FROM access_tokens", "11"),
        ("SELECT hex(response_digest) FROM members", "07"),
        (
            "SELECT group_concat(reason) FROM (SELECT reason FROM transitions ORDER BY transition_id)",
            "first_seen,unconfirmed,previously_dismissed,missing_from_list,disconnect_observed,recovered",
        ),
    ] {
        let value: String = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
        assert_eq!(value, expected, "{sql}");
    }
    for change in ["UPDATE transitions SET reason = 'other'", "DELETE FROM transitions"] {
        assert!(sqlx::query(change).execute(&mut database).await.is_err(), "{change}");
    }
}

#[tokio::test]
async fn suppressions_survive_the_new_reasons() {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut database).await.unwrap();
    apply(&mut database, 0..127).await;
    for insert in [
        "INSERT INTO suppressions (address_hash, reason, created_at) VALUES (x'01', 'unsubscribed', 7)",
        "INSERT INTO suppressions (address_hash, reason, created_at) VALUES (x'01', 'operator', 8)",
    ] {
        sqlx::query(insert).execute(&mut database).await.unwrap();
    }
    apply(&mut database, 127..128).await;
    let insert = "INSERT INTO suppressions (address_hash, reason, created_at) VALUES (x'01', 'complaint', 9)";
    sqlx::query(insert).execute(&mut database).await.unwrap();
    let rows: Vec<(Vec<u8>, String, i64)> =
        sqlx::query_as("SELECT address_hash, reason, created_at FROM suppressions ORDER BY created_at")
            .fetch_all(&mut database)
            .await
            .unwrap();
    let row = |reason: &str, at| (vec![1], reason.to_owned(), at);
    assert_eq!(rows, [row("unsubscribed", 7), row("operator", 8), row("complaint", 9)]);
}
