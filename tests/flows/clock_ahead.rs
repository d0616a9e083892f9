//! Clocks that were ahead.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::store::InstanceCommand;
use tokio_util::sync::CancellationToken;

const YEAR: TimeDelta = TimeDelta::days(365);
const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// Sets a column of times to a year from now.
async fn in_a_year(h: &Harness, table: &str, column: &str) {
    let year = (h.clock.now() + YEAR).timestamp_millis();
    assert!(h.rows().await.set(table, column, year).await.unwrap() > 0, "{table} {column}");
}

#[tokio::test]
async fn an_email_dated_next_year_keeps_the_gap_from_now_on_and_no_longer() {
    let setup = Setup::default().set("NOTICES__MIN_GAP", "24h");
    let (h, _) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    in_a_year(&h, "notices", "sent_at").await;
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 1);
    h.pass_after(TimeDelta::hours(24)).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_suspicion_from_next_year_is_confirmed_after_the_usual_time() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_AFTER", "1h"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    in_a_year(&h, "lapses", "suspected_at").await;
    h.pass_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
}

#[tokio::test]
async fn a_row_missing_since_next_year_counts_as_deleted_after_the_usual_time() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_AFTER", "1h"), &["alice"]).await;
    let absent = reconnectd::sim::Change { absent: true, ..Default::default() };
    h.sim.world().change("alice", "epic", absent).unwrap();
    h.pass().await;
    let year = (h.clock.now() + YEAR).timestamp_millis();
    let epic = ("connection_id", "epic");
    assert_eq!(h.rows().await.set_where("connections", epic, "missing_since", year).await.unwrap(), 1);
    h.pass_after(QUARTER).await;
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "DELETED"]);
}

#[tokio::test]
async fn a_lapse_opened_next_year_causes_an_email_now() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    in_a_year(&h, "lapses", "opened_at").await;
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn the_flap_window_of_a_lapse_that_was_closed_next_year_ends() {
    let (h, _) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    in_a_year(&h, "lapses", "closed_at").await;
    h.set("alice", "epic", "ERROR");
    h.pass_after(QUARTER).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::days(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered", "epic open"]);
}

#[tokio::test]
async fn work_deferred_by_a_clock_that_was_ahead_is_due_again_when_it_is_set_back() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_SWEEPS", 2), &["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
        h.pass_after(QUARTER).await;
    }
    // Bob's is suspected; alice's is open, and a notice about it was sent.
    h.set("alice", "kaiser-north", "EXPIRED");
    h.clock.advance(YEAR);
    while h.app.planner.plan_page().await.unwrap() {}
    let year = (h.clock.now() + YEAR).timestamp_millis();
    h.rows().await.set_where("lapses", ("state", "open"), "plan_at", year).await.unwrap();
    in_a_year(&h, "rechecks", "due_at").await;
    h.clock.advance(-YEAR);
    h.app.pull_back_from_future().await.unwrap();
    while h.app.planner.plan_page().await.unwrap() {}
    assert!(h.app.rechecker.recheck_one().await.unwrap(), "bob is looked at again");
    assert_eq!(h.lapse_states("bob").await, ["epic open"]);
    let planned = h.rows().await.numbers("lapses", "plan_at").await.unwrap();
    let latest = (h.clock.now() + TimeDelta::days(60)).timestamp_millis();
    assert!(planned.iter().all(|at| *at <= latest), "no lapse waits for next year");
}

#[tokio::test]
async fn a_snooze_until_next_year_ends_in_a_week_from_now() {
    let setup = Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d");
    let (h, link) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    h.press(&format!("{link}/snooze")).await;
    in_a_year(&h, "lapses", "snoozed_until").await;
    in_a_year(&h, "lapses", "plan_at").await;
    h.app.pull_back_from_future().await.unwrap();
    assert!(h.log.text().contains("event=\"rows_rescheduled\" rows=2"), "{}", h.log.text());
    assert!(h.look(&link).await.html.contains("March 9<"));
    h.pass_after(TimeDelta::days(7)).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_notice_deferred_to_next_year_is_delivered_after_a_start() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    h.app.planner.plan_page().await.unwrap();
    in_a_year(&h, "notices", "not_before").await;
    drop(h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_lapse_that_was_planned_for_next_year_by_a_clock_ahead_is_planned_again_after_a_start() {
    let h = Harness::watching(&["alice"]).await;
    drop(h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    h.set("alice", "epic", "EXPIRED");
    h.sweep().await;
    in_a_year(&h, "lapses", "plan_at").await;
    let restart = async || drop(h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    restart().await;
    assert!(!h.app.planner.plan_page().await.unwrap(), "a plan can be for any time");
    in_a_year(&h, "lapses", "opened_at").await;
    restart().await;
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 1);
}
