//! The schedule, at a gateway that is slower than it.

use crate::harness::{Home, simulator, until, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation};
use reconnectd::store::testing::Cell;

#[tokio::test]
async fn a_tick_that_comes_while_a_sweep_runs_is_skipped_and_counted_and_no_two_sweeps_overlap() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let world = simulator.world();
    world.reset_requests();
    world.add_fault(Fault::new(FaultKind::Delay { ms: 2_500 }).on(Operation::GetMemberConnections));
    let daemon = home.daemon().await;
    let skipped = until("three sweeps", async || {
        let asked = world.request_count(Operation::GetMemberConnections);
        if asked < 3 { None } else { daemon.metric("reconnectd_sweep_ticks_skipped_total").await }
    })
    .await;
    // Each sweep of one member asks once and outlasts two ticks.
    assert_eq!(world.peak_in_flight(), 1, "two sweeps asked at once");
    assert!(skipped >= 2.0, "{skipped} ticks were skipped");
    let ended = daemon.running.stopped().await.well();
    assert!(ended.stderr.contains("event=\"tick_skipped\""), "{}", ended.stderr);
}

/// Once a year, so that no tick comes while the test runs.
const YEARLY: &str = "0 0 0 1 1 *";

#[tokio::test]
async fn a_daemon_that_starts_after_a_missed_tick_sweeps_at_once_and_after_a_sweep_waits_for_the_next() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.schedule", YEARLY);
    home.enrol(&["alice"]).await;
    let asked = || simulator.world().request_count(Operation::GetMemberConnections);
    let swept = async |count| until_true("a sweep", async || asked() >= count).await;
    let daemon = home.daemon().await;
    swept(1).await;
    daemon.running.stopped().await.well();

    // Nothing is due. The loop asks each second, so that a sweep would have begun after a second and a half.
    let daemon = home.daemon().await;
    until("the clock's loop to look", async || daemon.metric("reconnectd_sweeps_overdue").await).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(asked(), 1, "the tick was followed");
    assert!(daemon.metric("reconnectd_last_sweep_timestamp_seconds").await.unwrap() > 1_700_000_000.0);
    daemon.running.stopped().await.well();

    let set = async |started_at: i64, finished_at: i64| {
        let mut database = home.database().await;
        database.set("sweeps", "started_at", started_at).await.unwrap();
        database.set("sweeps", "finished_at", finished_at).await.unwrap();
        database.set("sweeps", "scheduled_at", Cell::Null).await.unwrap();
    };
    set(0, 1).await;
    let daemon = home.daemon().await;
    swept(2).await;
    daemon.running.stopped().await.well();

    // A clock that was ahead.
    set(9_000_000_000_000, 9_000_000_000_000).await;
    let daemon = home.daemon().await;
    swept(3).await;
    daemon.running.stopped().await.well();
}

#[tokio::test]
async fn a_schedule_that_never_fires_is_a_configuration_error() {
    let mut home = Home::bare();
    home.set("sweep.schedule", "0 0 0 31 2 *");
    for command in ["run", "once", "check"] {
        home.run(&[command]).await.badly(2, &["sweep.schedule"]);
    }
}
