//! Statements that must not read whole tables.

use crate::Fixture;
use reconnectd::store::testing::TestDatabase;

pub(crate) async fn counting_mismatches_reads_their_index(f: &Fixture) {
    let TestDatabase::Sqlite(mut sql) = f.rows().await else { panic!("a file") };
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "EXPLAIN QUERY PLAN SELECT count(*) FROM connections k JOIN members m ON m.member_id = k.member_id
         WHERE m.removed_at IS NULL AND status IN ('CONNECTED', 'ERROR') AND instr(sync_errors, '\"PERSON_MATCHING_ERROR\"') > 0",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert!(plan.iter().any(|row| row.3.contains("connections_mismatched")), "{plan:?}");
}

pub(crate) async fn a_statement_that_reads_a_whole_table_is_reported_if_the_table_grows(f: &Fixture) {
    let mut rows = f.rows().await;
    for (statement, reported) in [
        ("SELECT count(*) FROM transitions WHERE reason = 'x'", Some("transitions: ")),
        ("SELECT count(*) FROM members m WHERE m.label = 'x'", Some("members: ")),
        ("SELECT count(*) FROM members m WHERE m.member_id > 'x'", Some("members: ")),
        ("SELECT count(*) FROM members m WHERE m.member_id = 'x'", None),
        ("SELECT count(*) FROM instances WHERE version = 'x'", None),
        ("SELECT transition_id FROM transitions ORDER BY transition_id LIMIT 10", None),
    ] {
        let scans = rows.scans_of(statement).await.unwrap();
        assert_eq!(scans.len(), usize::from(reported.is_some()), "{statement}: {scans:?}");
        assert!(reported.is_none_or(|table| scans[0].starts_with(table)), "{scans:?}");
    }
}
