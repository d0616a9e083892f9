//! Faults of the daemon's processes, and of their connections, at moments that a seed chooses: three instances on one
//! PostgreSQL database, or one on a file, with a gateway and a mail server that fail now and then. Processes are killed,
//! stopped and continued, and cut off from the gateway, the mail server, or the database.
//!
//! `RECONNECTD_TEST_FAULTS` is the number of faults, `RECONNECTD_TEST_SEED` chooses their moments and their victims.

mod blows;
mod fleet;
mod verdict;

use crate::postgres;
use blows::Blow;
use fleet::{Fleet, Place};
use std::env;

/// About two hundred take eight minutes.
const ON_A_SERVER: [Blow; 11] = [
    Blow::Kill,
    Blow::Stop,
    Blow::CutOffDatabase,
    Blow::Kill,
    Blow::EndSessions,
    Blow::CutOffGateway,
    Blow::Terminate,
    Blow::Kill,
    Blow::CutOffMailServer,
    Blow::StallDatabase,
    Blow::CutOffDatabase,
];
const ON_A_FILE: [Blow; 8] = [
    Blow::Kill,
    Blow::CutOffMailServer,
    Blow::Stop,
    Blow::Kill,
    Blow::CutOffGateway,
    Blow::StallMailServer,
    Blow::Terminate,
    Blow::StallGateway,
];
const MEMBERS: u32 = 180;
/// In a long run, whose connections expire while one fault passes.
const MEMBERS_PER_FAULT: u32 = 3;

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: a number")))
}

async fn survive(blows: &[Blow], place: Place) {
    let faults = number("RECONNECTD_TEST_FAULTS", blows.len());
    let members = MEMBERS.max(faults as u32 * MEMBERS_PER_FAULT);
    let mut fleet = Fleet::start(place, members, number("RECONNECTD_TEST_SEED", 1) as u64).await;
    let per_fault = fleet.members.len().div_ceil(faults);
    let mut waiting = fleet.members.clone();
    for fault in 0..faults {
        for member in waiting.split_off(waiting.len().saturating_sub(per_fault)) {
            fleet.simulator.world().set_status(&member, "epic", "EXPIRED").unwrap();
        }
        fleet.disturb_the_others(fault);
        fleet.strike(blows[fault % blows.len()]).await;
        fleet.press_some(10).await;
    }
    let struck = fleet.started_at.elapsed();
    fleet.come_to_rest().await;
    fleet.verify(struck).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_three_instances_each_step_is_emailed_and_nothing_is_doubled_or_stuck() {
    let Some(database) = postgres::new_database() else { return };
    survive(&ON_A_SERVER, Place::Server(database)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_an_instance_on_a_file_each_step_is_emailed_and_nothing_is_doubled_or_stuck() {
    survive(&ON_A_FILE, Place::File).await;
}

/// Members with an even number press their button.
fn is_even(member: &str) -> bool {
    member.ends_with(['0', '2', '4', '6', '8'])
}
