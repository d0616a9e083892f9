//! When a break is believed.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;

fn twice() -> Setup {
    Setup::default().set("SWEEP__CONFIRM_SWEEPS", 2)
}

const QUARTER: TimeDelta = TimeDelta::minutes(15);

#[tokio::test]
async fn one_observation_is_a_suspicion_and_the_same_response_confirms_it() {
    let h = Harness::watching_with(twice(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"], "recorded as soon as it is seen");
    assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);
    assert!(h.mails().is_empty());
    h.pass_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
}

#[tokio::test]
async fn a_connection_that_recovers_before_the_second_sighting_was_never_lapsed() {
    let h = Harness::watching_with(twice(), &["alice"]).await;
    for _ in 0..2 {
        h.set("alice", "epic", "EXPIRED");
        h.pass_after(QUARTER).await;
        assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);
        h.set("alice", "epic", "CONNECTED");
        h.pass_after(QUARTER).await;
        assert_eq!(h.lapse_states("alice").await, [] as [&str; 0]);
    }
    assert!(h.mails().is_empty());
    let path = ["CONNECTED", "EXPIRED", "CONNECTED", "EXPIRED", "CONNECTED"];
    assert_eq!(h.path("alice", "epic").await, path);
}

#[tokio::test]
async fn an_unclear_answer_neither_confirms_a_suspicion_nor_clears_it() {
    use reconnectd::sim::{FaultKind, Operation};
    let h = Harness::watching_with(twice(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    h.fault(Operation::GetMemberConnections, FaultKind::NullData);
    h.pass_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);
    h.end_faults();
    h.pass_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
}

#[tokio::test]
async fn a_break_has_to_last_for_as_long_as_the_operator_wants() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_AFTER", "1h"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    for minutes in [0, 15, 44] {
        h.pass_after(TimeDelta::minutes(minutes)).await;
        assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);
    }
    h.pass_after(TimeDelta::minutes(1)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_suspicion_is_polled_again_without_a_sweep() {
    let h = Harness::watching_with(twice(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::minutes(30));
    assert!(h.app.rechecker.recheck_one().await.unwrap());
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert!(!h.app.rechecker.recheck_one().await.unwrap(), "what is confirmed is not looked at again");
}

#[tokio::test]
async fn a_sweep_and_an_early_look_at_the_same_time_are_one_sighting() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_SWEEPS", 3), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.pass_after(TimeDelta::minutes(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic suspected"], "seen twice, half an hour apart");
    h.pass_after(TimeDelta::minutes(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
}

#[tokio::test]
async fn a_sweep_that_sees_no_change_writes_nothing_about_anyone() {
    let members = ["alice", "bob", "carol", "m1", "m2"];
    let h = Harness::watching_with(Setup::default().members(2), &members).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.pass().await; // plans what follows the mail
    let mut rows = h.rows().await;
    rows.record_writes(&["sweeps", "sweep_pages", "planner_pauses"]).await.unwrap();
    for _ in 0..3 {
        let report = h.pass_after(QUARTER).await;
        assert_eq!((report.progress.members, report.progress.unclear), (5, 0));
    }
    let written = rows.recorded_writes().await.unwrap();
    assert_eq!(written, [] as [&str; 0]);
    h.set("bob", "epic", "EXPIRED");
    h.pass().await;
    let written = rows.recorded_writes().await.unwrap();
    assert!(written.contains(&"INSERT transitions".to_owned()), "the spies see what is written");
}

#[tokio::test]
async fn the_look_before_an_email_counts_for_a_suspicion_even_if_nothing_has_changed() {
    let h = Harness::watching_with(twice(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.sweep().await;
    h.set("alice", "kaiser-north", "EXPIRED");
    h.sweep_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open", "kaiser-north suspected"]);
    while h.app.planner.plan_page().await.unwrap() {}
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.lapse_states("alice").await, ["epic open", "kaiser-north open"]);
}
