//! Renewals in flight while the gateway rotates refresh tokens: a kill loses the tokens of no others.

use crate::harness::{Home, simulator, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation};
use std::time::Duration;

const MEMBERS: u32 = 120;

async fn enrol_all(home: &Home) {
    let members: Vec<String> = (1..=MEMBERS).map(|n| format!("m{n}")).collect();
    home.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_kill_in_a_first_sweep_loses_no_more_tokens_than_renewals_may_be_in_flight() {
    const MAX_RENEWALS: usize = 4;
    let simulator = simulator(MEMBERS).await;
    let world = simulator.world();
    world.configure(|settings| settings.rotate = true);
    let mut home = Home::new(&simulator);
    home.set("gateway.max_renewals", MAX_RENEWALS as i64);
    enrol_all(&home).await;
    let mut database = home.database().await;
    world.add_fault(Fault::new(FaultKind::Delay { ms: 200 }).on(Operation::Refresh));
    let daemon = home.daemon().await;
    until_true("renewals", async || world.request_count(Operation::Refresh) >= 40).await;
    // Now no new token can be stored, so every renewal that begins is lost.
    database.block_writers().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.request_count(Operation::Refresh) < MEMBERS, "the sweep ended before the kill");
    assert_eq!(daemon.running.kill().signal, Some(9));
    drop(database);
    world.clear_faults();

    home.run(&["once"]).await;
    let members = home.json(&["members", "list"]).await;
    let lost = members.iter().filter(|member| member["credential"] == "rejected").count();
    assert!((1..=MAX_RENEWALS).contains(&lost), "{lost} members lost their tokens");
    let fine = members.iter().filter(|member| member["credential"] == "ok").count();
    assert_eq!(fine + lost, MEMBERS as usize);
}

#[tokio::test]
async fn renewals_at_a_gateway_that_does_not_rotate_are_bounded_by_max_in_flight_alone() {
    let simulator = simulator(MEMBERS).await;
    let world = simulator.world();
    world.add_fault(Fault::new(FaultKind::Delay { ms: 300 }).on(Operation::Refresh));
    let mut home = Home::new(&simulator);
    home.set("gateway.max_in_flight", 24).set("gateway.max_renewals", 1);
    enrol_all(&home).await;
    home.run(&["once"]).await.well();
    assert_eq!(world.request_count(Operation::Refresh), MEMBERS);
    // Three of the 24 are reserved for persons.
    assert_eq!(world.peak_in_flight(), 21);
}
