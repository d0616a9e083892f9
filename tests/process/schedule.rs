//! The schedule, at a gateway that is slower than it.

use crate::harness::{Home, PATIENCE, simulator, until};
use reconnectd::sim::{Fault, Operation, Trouble};

/// The value of a metric without labels, where it has been counted.
async fn metric(url: &str, name: &str) -> Option<u64> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let text = http.get(url).send().await.unwrap().text().await.unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[tokio::test]
async fn a_tick_that_comes_while_a_sweep_runs_is_skipped_and_counted_and_no_two_sweeps_overlap() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    let world = simulator.world();
    world.reset_requests();
    world.add_fault(Fault::new(Trouble::Delay { ms: 2_500 }).on(Operation::GetMemberConnections));
    let daemon = home.daemon().await;
    let metrics = format!("http://{}/metrics", daemon.admin);
    let skipped = until("three sweeps", async || {
        let asked = world.asked(Operation::GetMemberConnections);
        if asked < 3 { None } else { metric(&metrics, "reconnectd_sweep_ticks_skipped_total").await }
    })
    .await;
    // Each sweep of one member asks once and outlasts two ticks.
    assert_eq!(world.peak_in_flight(), 1, "two sweeps asked at once");
    assert!(skipped >= 2, "{skipped} ticks were skipped");
    let ended = daemon.running.stopped().await.well();
    assert!(ended.stderr.contains("this tick is skipped"), "{}", ended.stderr);
}
