use super::*;
use crate::domain::{Event, HistoryKind};
use crate::store::engine::query;
use crate::store::testing::new_store;
use crate::store::time;

/// What a member's history says of repetitions, when every table has a row with some.
async fn told(kind: HistoryKind, connections: &[&str]) -> HistoryEntry {
    let (store, _folder) = new_store().await;
    let mut rows = vec![
        "members (member_id, email, subject, added_at, updated_at) VALUES ('m', '', '', 1, 1)".to_owned(),
        "credential_failures (member_id, state, reason, since, failures, retry_at)
         VALUES ('m', 'rejected', 'invalid_grant', 2, 3, 9)"
            .to_owned(),
        "notices (notice_id, member_id, step, state, reason, planned_at, not_before)
         VALUES ('n', 'm', 0, 'sent', 'accepted', 1, 1)"
            .to_owned(),
        "attempts (notice_id, attempt, started_at, outcome, reason, count, last_at)
         VALUES ('n', 1, 2, 'waiting', 'gateway_unavailable', 4, 6)"
            .to_owned(),
        "links (token_hash, kind, notice_id, member_id, attempt, created_at, expires_at)
         VALUES (x'01', 'notice', 'n', 'm', 1, 1, 9)"
            .to_owned(),
    ];
    for id in connections {
        rows.push(format!(
            "connections (member_id, connection_id, name, is_direct, sync_errors, first_seen_at, changed_at)
             VALUES ('m', '{id}', '', 0, '[]', 1, 1)"
        ));
        rows.push(format!(
            "lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations, opened_at)
             VALUES ('{id}', 'm', '{id}', 'open', 1, 2, 1)"
        ));
        rows.push(format!(
            "notice_items (notice_id, lapse_id, connection_id, step) VALUES ('n', '{id}', '{id}', 0)"
        ));
        rows.push(format!(
            "link_buttons (token_hash, connection_id, lapse_id, redemptions, redeemed_at)
             VALUES (x'01', '{id}', '{id}', 2, 5)"
        ));
    }
    for row in rows {
        store.execute(query(format!("INSERT INTO {row}"))).await.unwrap();
    }
    match store.history(&"m".into(), None, 100).await.unwrap() {
        History::Entries { entries, .. } => {
            entries.into_iter().find(|entry| entry.event.kind() == kind).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn attempts_that_ended_alike_are_one_entry_with_their_number_and_the_last_time() {
    let entry = told(HistoryKind::Delivery, &["epic"]).await;
    assert_eq!((entry.at, entry.last_at, entry.count), (time(2), time(6), 4));
}

#[tokio::test]
async fn a_delivery_names_its_connection_unless_it_is_about_several() {
    for (connections, named) in [(&["epic"][..], Some("epic".into())), (&["epic", "kaiser"], None)] {
        let entry = told(HistoryKind::Delivery, connections).await;
        assert_eq!(entry.connection_id, named);
    }
}

#[tokio::test]
async fn presses_and_refused_credentials_are_counted() {
    let link = told(HistoryKind::Link, &["epic"]).await;
    assert_eq!((link.event, link.count), (Event::Redeemed, 2));
    assert_eq!(told(HistoryKind::Credential, &["epic"]).await.count, 3);
}
