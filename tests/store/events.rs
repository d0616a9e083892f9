//! The events in reports.

use crate::Fixture;
use reconnectd::domain::ListedEvent;

const EVENTS: &str = "
    INSERT INTO events (event_id, type, member_id, data, state, created_at, retry_until, next_at) VALUES
        ('e1', 'notice.sent', 'alice', '{}', 'delivered', 1, 2, NULL), ('e2', 'notice.sent', 'alice', '{}', 'failed', 1, 2, NULL),
        ('e3', 'storm.ended', '', '{}', 'failed', 1, 2, NULL), ('e4', 'notice.sent', 'bob', '{}', 'failed', 1, 2, NULL),
        ('e5', 'notice.sent', 'bob', '{}', 'queued', 1, 2, 3)";

pub(crate) async fn events_that_failed_are_listed_page_by_page_and_by_type(f: &Fixture) {
    f.run(EVENTS).await;
    let failed =
        async |event_type, after, limit| f.store.failed_events(event_type, after, limit).await.unwrap();
    let ids = |listed: &[ListedEvent]| listed.iter().map(|of| of.id.to_string()).collect::<Vec<_>>();
    let first = failed(None, 0, 2).await;
    assert_eq!(ids(&first), ["e2", "e3"]);
    let members: Vec<_> = first.iter().map(|of| of.member_id.as_ref().map(|id| id.as_str())).collect();
    assert_eq!(members, [Some("alice"), None]);
    assert_eq!(ids(&failed(None, first[1].sequence, 2).await), ["e4"]);
    assert_eq!(ids(&failed(Some("notice.sent"), 0, 9).await), ["e2", "e4"]);
}

pub(crate) async fn events_are_counted_by_state_and_those_that_failed_by_type(f: &Fixture) {
    f.run(EVENTS).await;
    let counts = [
        f.store.count_failed_events().await.unwrap(),
        f.store.count_events().await.unwrap(),
        f.store.count_undelivered_events().await.unwrap(),
    ];
    let listed = counts.map(|counts| counts.iter().map(|(of, n)| format!("{of} {n}")).collect::<Vec<_>>());
    assert_eq!(listed[0], ["notice.sent 2", "storm.ended 1"]);
    assert_eq!(listed[1], ["delivered 1", "failed 3", "queued 1"]);
    assert_eq!(listed[2], ["failed 3", "queued 1"]);
}
