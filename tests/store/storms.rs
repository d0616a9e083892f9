//! The end of a storm.

use crate::{Fixture, now};
use chrono::TimeDelta;
use reconnectd::domain::{ConnectionId, StormPolicy};

const HOUR: TimeDelta = TimeDelta::hours(1);

pub(crate) async fn a_storm_calms_down_when_a_window_has_passed_with_few_lapses(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    let opened = (now() - HOUR / 2).timestamp_millis();
    for member in ["alice", "bob"] {
        f.run(&format!(
            "INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at, changed_at)
                 VALUES ('{member}', 'epic', '', TRUE, 'EXPIRED', '[]', 1, 1);
             INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations,
                 opened_at, last_opened_at) VALUES ('{member}', '{member}', 'epic', 'open', 1, 1, {opened}, {opened})"
        ))
        .await;
    }
    f.run("INSERT INTO holds (hold_id, kind, state, source, reason, since) VALUES ('h', 'storm', 'holding', 'epic', '', 1)").await;
    let policy = StormPolicy { min_members: 100, share: 0.1, fleet_share: 0.1, window: HOUR };
    let calmed_after = async |age: TimeDelta, lapsed: i64| {
        let mut rows = f.rows().await;
        rows.set("holds", "since", (now() - age).timestamp_millis()).await.unwrap();
        rows.set("holds", "lapsed", lapsed).await.unwrap();
        f.store.brake(&policy, now()).await.unwrap().calmed
    };
    assert!(calmed_after(HOUR / 2, 5).await.is_empty());
    assert!(calmed_after(HOUR * 2, 4).await.is_empty());
    assert_eq!(calmed_after(HOUR * 2, 5).await, [Some(ConnectionId::from("epic"))]);
    assert!(calmed_after(HOUR * 2, 5).await.is_empty(), "once");
}
