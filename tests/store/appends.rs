//! Transitions are append-only: the database itself refuses anything else.

use crate::Fixture;

pub(crate) async fn transitions_are_never_changed_or_deleted(f: &Fixture) {
    f.import(&["alice"]).await;
    let mut rows = f.rows().await;
    let insert = "INSERT INTO transitions (transition_id, member_id, connection_id, to_status, observed_at, cause, reason)
        VALUES ('t1', 'alice', 'epic', 'CONNECTED', 0, 'sweep', 'first_sight')";
    f.run(insert).await;
    let before = f.rows().await.contents().await.unwrap();
    for statement in [
        "UPDATE transitions SET to_status = 'EXPIRED'",
        "UPDATE transitions SET observed_at = observed_at",
        "DELETE FROM transitions",
        "DELETE FROM transitions WHERE member_id = 'alice'",
        "INSERT OR REPLACE INTO transitions SELECT transition_id, member_id, connection_id, from_status, 'EXPIRED',
         observed_at, cause, reason FROM transitions",
        "INSERT INTO transitions SELECT * FROM transitions
         ON CONFLICT (transition_id) DO UPDATE SET to_status = 'EXPIRED'",
        "TRUNCATE transitions",
        "TRUNCATE members CASCADE",
        "DELETE FROM members WHERE member_id = 'alice'",
    ] {
        rows.run(statement).await.expect_err(statement);
    }
    assert_eq!(f.rows().await.contents().await.unwrap(), before);
}

pub(crate) async fn a_purge_deletes_old_transitions_and_not_the_last_one_of_a_connection(f: &Fixture) {
    f.import(&["alice"]).await;
    f.run(
        "INSERT INTO connections (member_id, connection_id, name, is_direct, sync_errors, first_seen_at, changed_at)
            VALUES ('alice', 'epic', '', FALSE, '[]', 1, 1);
         INSERT INTO transitions (transition_id, member_id, connection_id, to_status, observed_at, cause, reason)
            VALUES ('t1', 'alice', 'epic', 'CONNECTED', 1, 'sweep', ''), ('t2', 'alice', 'epic', 'EXPIRED', 2, 'sweep', ''),
                ('t3', 'alice', 'epic', 'CONNECTED', 3, 'sweep', ''), ('t4', 'alice', 'gone', 'DELETED', 2, 'sweep', '')",
    )
    .await;
    let mut rows = f.rows().await;
    rows.run("DELETE FROM transitions WHERE transition_id = 't1'").await.expect_err("no purge runs");
    f.run("INSERT INTO purge (id, seen_at, transitions_before, audit_before) VALUES (1, 0, 2, 5)").await;
    rows.run("DELETE FROM transitions WHERE transition_id = 't2'").await.expect_err("it is not old enough");
    f.run("DELETE FROM transitions WHERE transition_id = 't1'; UPDATE purge SET transitions_before = 100")
        .await;
    rows.run("DELETE FROM transitions WHERE transition_id = 't3'").await.expect_err("it tells the status");
    rows.run("DELETE FROM transitions").await.expect_err("one of them tells the status");
    rows.run("UPDATE transitions SET to_status = 'EXPIRED' WHERE transition_id = 't2'")
        .await
        .expect_err("no change");
    f.run("DELETE FROM transitions WHERE transition_id IN ('t2', 't4')").await;
    assert_eq!(rows.texts("transitions", "transition_id").await.unwrap(), ["t3"]);
}
