//! What the charts and the views of the dashboard count.

use crate::{Fixture, now};
use chrono::{NaiveDate, TimeDelta};
use reconnectd::domain::{CredentialRules, Time};
use reconnectd::store::{ChartMark, DayCount, MarkKind, QueueState, RecoveryTimes, UnreachableFilter};

const HOUR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);

/// In the statements, `now` stands for [`now`], and `h` for an hour.
const ROWS: &str = "
    INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at, changed_at)
        VALUES ('alice', 'epic', '', TRUE, 'EXPIRED', '[]', 1, 1), ('alice', 'kaiser', '', TRUE, 'EXPIRED', '[]', 1, 1),
            ('bob', 'EPIC', '', TRUE, 'EXPIRED', '[]', 1, 1);
    INSERT INTO lapses (lapse_id, member_id, connection_id, state, outcome, suspected_at, consecutive_observations,
            opened_at, closed_at, last_opened_at)
        VALUES ('l1', 'alice', 'epic', 'closed', 'recovered', 1, 1, now - 72 * h, now - 48 * h, NULL),
            ('l2', 'alice', 'kaiser', 'closed', 'recovered', 1, 1, now - 51 * h, now - 48 * h, NULL),
            ('l3', 'bob', 'EPIC', 'closed', 'recovered', 1, 1, now - 26 * h, now - 24 * h, NULL),
            ('l4', 'bob', 'EPIC', 'closed', 'recovered', 1, 1, now - 90 * h, now - 49 * h, NULL),
            ('l5', 'alice', 'kaiser', 'open', NULL, 1, 1, now - 120 * h, NULL, NULL),
            ('l6', 'alice', 'epic', 'open', NULL, 1, 1, now - 120 * h, NULL, now - h),
            ('l7', 'bob', 'EPIC', 'open', NULL, 1, 1, now - h, NULL, NULL);
    INSERT INTO unreachable_members (member_id, reason, since) VALUES ('bob', 'suppressed', now);
    INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, attempts, sent_at)
        VALUES ('n1', 'bob', 0, 'sent', 'accepted', 1, 1, 1, now - 48 * h), ('n2', 'bob', 0, 'sent', 'accepted', 1, 1, 1, now - 47 * h),
            ('n3', 'bob', 0, 'sent', 'accepted', 1, 1, 1, now), ('n4', 'bob', 0, 'queued', 'mail_server_busy', 1, 1, 1, NULL),
            ('n5', 'bob', 0, 'queued', 'mail_server_busy', 1, 1, 2, NULL), ('n6', 'bob', 0, 'queued', 'due', 1, 1, 0, NULL);
    INSERT INTO instance_starts (instance_id, started_at, version) VALUES ('i1', now - 49 * h, '1.0'), ('i2', now - 24 * h, '1.1');
    INSERT INTO policy_changes (change, at, policy) VALUES (1, now - 48 * h, '{}'), (2, now - 23 * h, '[]');
    INSERT INTO holds (hold_id, kind, state, source, reason, since)
        VALUES ('h1', 'storm', 'holding', 'epic', '', now), ('h2', 'operator', 'ended', NULL, '', now - h);
";

async fn fill(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    let (now, hour) = (now().timestamp_millis().to_string(), HOUR.num_milliseconds().to_string());
    f.run(
        &ROWS.replace("now", &now).replace("* h", &format!("* {hour}")).replace("- h", &format!("- {hour}")),
    )
    .await;
}

fn counted(days: Vec<DayCount>) -> Vec<(NaiveDate, Option<String>, u64)> {
    let source = |day: &DayCount| day.source.as_ref().map(|source| source.as_str().to_owned());
    days.iter().map(|day| (day.day, source(day), day.count)).collect()
}

pub(crate) async fn the_charts_count_by_day_and_source_and_mark_what_explains_a_change(f: &Fixture) {
    fill(f).await;
    let since = now() - DAY * 2;
    let day = |days: i32, source: &str, count: u64| {
        let source = (!source.is_empty()).then(|| source.to_owned());
        ((now() - DAY * days).date_naive(), source, count)
    };
    let recovered = counted(f.store.recoveries_by_day(since).await.unwrap());
    assert_eq!(recovered, [day(2, "epic", 1), day(2, "kaiser", 1), day(1, "epic", 1)]);
    let opened = counted(f.store.lapses_by_day(since).await.unwrap());
    assert_eq!(opened, [day(1, "epic", 1), day(0, "epic", 1)]);
    let sent = counted(f.store.emails_by_day(since).await.unwrap());
    assert_eq!(sent, [day(2, "", 2), day(0, "", 1)]);
    let mark =
        |at: Time, kind, detail: Option<&str>| ChartMark { at, kind, detail: detail.map(str::to_owned) };
    let marks = [
        mark(now() - DAY, MarkKind::Start, Some("1.1")),
        mark(now() - HOUR * 23, MarkKind::Policy, None),
        mark(now() - HOUR, MarkKind::OperatorHold, None),
        mark(now(), MarkKind::Storm, Some("epic")),
    ];
    assert_eq!(f.store.chart_marks(since).await.unwrap(), marks);
}

pub(crate) async fn the_views_count_what_waits_is_open_recovered_or_reaches_nobody(f: &Fixture) {
    fill(f).await;
    let by_age = f.store.open_lapses_by_age(&[DAY, DAY * 4], now()).await.unwrap();
    let by_age: Vec<_> = by_age.iter().map(|open| (open.source.as_str(), open.band, open.count)).collect();
    assert_eq!(by_age, [("epic", 0, 2), ("kaiser", 2, 1)]);
    let times = f.store.recovery_times(now() - DAY * 2).await.unwrap();
    let expected = RecoveryTimes { recovered: 3, median: Some(HOUR * 3), nine_of_ten: Some(DAY) };
    assert_eq!(times, expected);
    let queue = f.store.queue_state(now() - DAY).await.unwrap();
    assert_eq!(queue, QueueState { retried: vec![("mail_server_busy".to_owned(), 2)], sent: 1 });
    let unreachable = async |reason: Option<&str>, source: Option<&str>| {
        let (reason, source) = (reason.map(str::to_owned), source.map(Into::into));
        f.store.count_unreachable_lapses(&UnreachableFilter { reason, source }).await.unwrap()
    };
    assert_eq!((unreachable(None, None).await, unreachable(Some("suppressed"), Some("Epic")).await), (1, 1));
    assert_eq!((unreachable(Some("other"), None).await, unreachable(None, Some("kaiser")).await), (0, 0));
    let credentials = async || {
        f.store
            .stats(&CredentialRules::stored_tokens(), now())
            .await
            .unwrap()
            .credentials
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(credentials().await, [("missing".to_owned(), 2)], "and none is locked");
}
