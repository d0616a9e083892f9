use super::*;
use crate::store::testing::{TestDatabase, new_store};

/// alice and bob have the same address, and an open lapse each.
const WORLD: &str = "
    INSERT INTO members (member_id, email, subject, added_at, updated_at)
        VALUES ('alice', 'a@example.org', 'alice', 0, 0), ('bob', 'a@example.org', 'bob', 0, 0);
    INSERT INTO connections (member_id, connection_id, name, is_direct, sync_errors, first_seen_at, changed_at)
        VALUES ('alice', 'epic', '', FALSE, '[]', 0, 0), ('bob', 'EPIC', '', FALSE, '[]', 0, 0);
    INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations, opened_at)
        VALUES ('l1', 'alice', 'epic', 'open', 1, 1, 1), ('l2', 'bob', 'EPIC', 'open', 1, 1, 1);
    INSERT INTO member_changes (member_id, change, at, address_hash, is_paused, is_suppressed)
        VALUES ('alice', 1, 0, zeroblob(32), FALSE, FALSE), ('bob', 1, 0, zeroblob(32), FALSE, FALSE);";

async fn store(rows: &str) -> (Store, tempfile::TempDir) {
    let (store, folder) = new_store().await;
    TestDatabase::open(store.place.file().unwrap())
        .await
        .unwrap()
        .run(&format!("{WORLD} {rows}"))
        .await
        .unwrap();
    (store, folder)
}

/// What is recorded about alice.
async fn past(store: &Store, from: i64, until: i64) -> SharedPast {
    store.past_of(&["alice".into()], time(from), time(until)).await.unwrap()
}

#[tokio::test]
async fn a_storm_holds_an_email_from_the_first_decision_until_another_one() {
    let rows = "INSERT INTO decisions (decision_id, member_id, lapse_id, what, reason, at, last_at) VALUES
        ('d1', 'alice', 'l1', 'notice', 'first_after', 1, 1), ('d2', 'alice', 'l1', 'notice', 'held_by_storm', 2, 2),
        ('d3', 'alice', 'l1', 'notice', 'held_by_storm', 3, 3), ('d4', 'alice', 'l1', 'notice', 'first_notice', 4, 4),
        ('d5', 'alice', 'l1', 'notice', 'quiet_hours', 5, 5), ('d6', 'alice', 'l1', 'notice', 'held_by_storm', 6, 6),
        ('d7', 'bob', 'l2', 'notice', 'held_by_storm', 7, 7);";
    let (store, _folder) = store(rows).await;
    let held = past(&store, 0, 10).await.held;
    let held: Vec<_> = held.iter().map(|held| (millis(held.from), held.until.map(millis))).collect();
    assert_eq!(held, [(2, Some(4)), (6, None)]);
}

#[tokio::test]
async fn each_state_of_a_notice_that_was_due_is_a_fate() {
    let rows = "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, due_at, sent_at,
            attempts)
        VALUES ('n1', 'alice', 0, 'sent', '', 1, 1, 1, 2, 1), ('n2', 'alice', 1, 'abandoned', '', 3, 3, 3, NULL, 1),
            ('n3', 'alice', 2, 'cancelled', '', 5, 5, 5, NULL, 0), ('n4', 'alice', 3, 'queued', '', 7, 7, 7, NULL, 0);
        INSERT INTO attempts (notice_id, attempt, started_at) VALUES ('n1', 1, 2), ('n2', 1, 4);
        INSERT INTO notice_items (notice_id, lapse_id, connection_id, step)
        VALUES ('n1', 'l1', 'epic', 0), ('n2', 'l1', 'epic', 1), ('n3', 'l1', 'epic', 2), ('n4', 'l1', 'epic', 3);";
    let (store, _folder) = store(rows).await;
    let notices = past(&store, 0, 10).await.notices;
    let fates: Vec<_> = notices.iter().map(|notice| (notice.fate, notice.ended_at.map(millis))).collect();
    let expected = [
        (NoticeFate::Sent(time(2)), Some(2)),
        (NoticeFate::Abandoned, Some(4)),
        (NoticeFate::Cancelled, Some(5)),
        (NoticeFate::Waits, None),
    ];
    assert_eq!(fates, expected);
}

#[tokio::test]
async fn the_emails_of_the_month_before_count_and_later_ones_only_if_no_policy_decides_about_them() {
    let from = time(0) + TimeDelta::days(100);
    let at = |days| millis(from + TimeDelta::days(days));
    let row = |(id, kind, days): (u32, &str, i64)| {
        format!("('n{id}', 'bob', 0, 'sent', '', 0, 0, '{kind}', {}, zeroblob(32))", at(days))
    };
    let emails = [
        (1, "reconnect", -31),
        (2, "reconnect", -29),
        (3, "recovered", -1),
        (4, "reconnect", 1),
        (5, "invited", 2),
        (6, "invited", 4),
    ];
    let insert = "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, kind, sent_at,
            address_hash) VALUES";
    let (store, _folder) = store(&format!("{insert} {};", emails.map(row).join(", "))).await;
    let emails = past(&store, at(0), at(3)).await.emails;
    let emails: Vec<_> =
        emails.iter().map(|(_, email)| (millis(email.sent_at), email.counts_for_gap)).collect();
    assert_eq!(emails, [(at(-29), true), (at(-1), false), (at(2), true)]);
}

#[tokio::test]
async fn holds_that_touch_the_time_are_read_in_the_order_of_the_planner_storms_in_their_states() {
    let rows = "INSERT INTO holds (hold_id, kind, state, source, reason, since, ended_at) VALUES
            ('h1', 'storm', 'ended', 'epic', '', 10, 20), ('h2', 'operator', 'holding', NULL, '', 50, NULL),
            ('h3', 'storm', 'ended', 'epic', '', 120, 180), ('h4', 'operator', 'ended', NULL, '', 60, 99),
            ('h5', 'operator', 'holding', NULL, '', 201, NULL);
        INSERT INTO storm_changes (hold_id, change, at, state)
            VALUES ('h3', 1, 120, 'holding'), ('h3', 2, 150, 'dripping');";
    let (store, _folder) = store(rows).await;
    let holds = store.past_holds(time(100), time(200)).await.unwrap();
    let show =
        |part: &PastHold| (part.hold.kind, part.hold.is_dripping, millis(part.from), part.end.map(millis));
    assert_eq!(
        holds.iter().map(show).collect::<Vec<_>>(),
        [
            (HoldKind::Storm, false, 120, Some(150)),
            (HoldKind::Storm, true, 150, Some(180)),
            (HoldKind::Operator, false, 50, None),
        ]
    );
}

#[tokio::test]
async fn sweeps_and_pauses_that_touch_the_time_are_read_in_their_order() {
    let rows = "INSERT INTO sweeps (sweep_id, started_at, finished_at)
            VALUES ('s1', 10, 20), ('s2', 90, 110), ('s3', 150, NULL), ('s4', 201, 220);
        INSERT INTO planner_pauses (since, until) VALUES (10, 20), (90, 120), (190, 300), (201, 400);";
    let (store, _folder) = store(rows).await;
    let (from, until) = (time(100), time(200));
    let sweeps = store.past_sweeps(from, until).await.unwrap();
    let sweeps: Vec<_> = sweeps.iter().map(|sweep| (sweep.started_at, sweep.finished_at)).collect();
    assert_eq!(sweeps, [(time(90), time(110)), (time(150), time(201))]);
    let pauses = store.planner_pauses(from, until).await.unwrap();
    assert_eq!(pauses, [(time(90), time(120)), (time(190), time(300))]);
}

#[tokio::test]
async fn openings_are_counted_by_second_and_source_whatever_its_case() {
    let rows = "INSERT INTO lapse_changes (lapse_id, change, member_id, at, is_open, is_missing, is_person_mismatch,
            suspected_at, opened_at, last_opened_at)
        VALUES ('l1', 1, 'alice', 5100, TRUE, FALSE, FALSE, 1, 5100, 5100), ('l2', 1, 'bob', 5900, TRUE, FALSE, FALSE, 1, 5900, 5900),
            ('l1', 2, 'alice', 6500, TRUE, FALSE, FALSE, 1, 5100, 5100), ('l2', 2, 'bob', 9500, TRUE, FALSE, FALSE, 1, 5900, 9500);";
    let (store, _folder) = store(rows).await;
    let openings = store.past_openings(time(0), time(9000)).await.unwrap();
    let openings: Vec<_> = openings.iter().map(|of| (millis(of.at), of.source.as_str(), of.count)).collect();
    assert_eq!(openings, [(5000, "epic", 2)]);
}
