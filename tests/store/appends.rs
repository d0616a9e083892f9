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
