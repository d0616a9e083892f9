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
