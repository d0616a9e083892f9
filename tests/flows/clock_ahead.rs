//! Clocks that were ahead.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

const YEAR: TimeDelta = TimeDelta::days(365);
const QUARTER: TimeDelta = TimeDelta::minutes(15);

async fn in_a_year(h: &Harness, sql: &str) {
    let year = h.clock.now() + YEAR;
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(year.timestamp_millis())
        .execute(&mut h.sql().await)
        .await
        .unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
}

#[tokio::test]
async fn an_email_from_next_year_keeps_the_gap_from_now_on_and_no_longer() {
    for set in ["sent_at = $1", "planned_at = $1, sent_at = NULL, state = 'held'"] {
        let setup = Setup::default().set("NOTICES__MIN_GAP", "24h");
        let (h, _) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
        in_a_year(&h, &format!("UPDATE notices SET {set}")).await;
        h.set("alice", "kaiser-north", "EXPIRED");
        h.pass_after(QUARTER).await;
        assert_eq!(h.mails().len(), 1, "{set}");
        h.pass_after(TimeDelta::hours(24)).await;
        assert_eq!(h.mails().len(), 2, "{set}");
    }
}

#[tokio::test]
async fn a_suspicion_from_next_year_is_confirmed_after_the_usual_time() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_AFTER", "1h"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    in_a_year(&h, "UPDATE lapses SET suspected_at = $1").await;
    h.pass_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
}

#[tokio::test]
async fn a_row_that_is_missing_since_next_year_is_gone_after_the_usual_time() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_AFTER", "1h"), &["alice"]).await;
    let absent = reconnectd::sim::Change { absent: true, ..Default::default() };
    h.sim.world().change("alice", "epic", absent).unwrap();
    h.pass().await;
    in_a_year(&h, "UPDATE connections SET missing_since = $1 WHERE connection_id = 'epic'").await;
    h.pass_after(QUARTER).await;
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "DELETED"]);
}

#[tokio::test]
async fn a_lapse_that_was_opened_next_year_is_written_about_now() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    in_a_year(&h, "UPDATE lapses SET opened_at = $1").await;
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn the_flap_window_of_a_lapse_that_was_closed_next_year_ends() {
    let (h, _) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    in_a_year(&h, "UPDATE lapses SET closed_at = $1").await;
    h.set("alice", "epic", "ERROR");
    h.pass_after(QUARTER).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::days(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered", "epic open"]);
}

#[tokio::test]
async fn what_was_put_off_by_a_clock_that_was_ahead_is_due_again_when_it_goes_back() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_SWEEPS", 2), &["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
        h.pass_after(QUARTER).await;
    }
    // Bob's is suspected; alice's is open, and a notice about it was sent.
    h.set("alice", "kaiser-north", "EXPIRED");
    h.clock.advance(YEAR);
    while h.app.planner.plan_one().await.unwrap() {}
    in_a_year(&h, "UPDATE lapses SET plan_at = $1 WHERE state = 'open'").await;
    in_a_year(&h, "UPDATE rechecks SET due_at = $1").await;
    h.clock.advance(-YEAR);
    h.app.pull_back_from_future().await.unwrap();
    while h.app.planner.plan_one().await.unwrap() {}
    assert!(h.app.rechecker.recheck_one().await.unwrap(), "bob is looked at again");
    assert_eq!(h.lapse_states("bob").await, ["epic open"]);
    let ahead: i64 = sqlx::query_scalar("SELECT count(*) FROM lapses WHERE plan_at > $1")
        .bind((h.clock.now() + TimeDelta::days(60)).timestamp_millis())
        .fetch_one(&mut h.sql().await)
        .await
        .unwrap();
    assert_eq!(ahead, 0, "no lapse waits for next year");
}

#[tokio::test]
async fn a_notice_that_was_put_off_to_next_year_is_delivered_after_a_start() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    h.app.planner.plan_one().await.unwrap();
    in_a_year(&h, "UPDATE notices SET not_before = $1").await;
    drop(h.app.acquire_instance_lock().await.unwrap());
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
}
