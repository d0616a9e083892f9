//! Disks and files that fail the daemon: full, read-only, damaged. The disk of a test is mounted for its processes only.

mod damaged;
mod full;
mod read_only;

use crate::harness::{Daemon, Home, until_true};
use crate::servers::readiness;
use reconnectd::sim::Simulator;

/// Until `/readyz` returns the status and the reason code.
async fn until_readiness(daemon: &Daemon, status: u16, code: &str) {
    let what = format!("/readyz to return {status} {code}");
    let is_reached = async || {
        let (now, body) = readiness(daemon).await;
        now == status && body.split([':', '\n']).next() == Some(code)
    };
    until_true(&what, is_reached).await;
}

/// What `check` says about the database.
async fn check_of_database(home: &Home) -> (String, String) {
    let lines = home.run(&["check", "--json"]).await.json();
    let line = lines.into_iter().find(|line| line["check"] == "database").unwrap();
    (line["level"].as_str().unwrap().to_owned(), line["message"].as_str().unwrap().to_owned())
}

fn expire(simulator: &Simulator, member: &str) {
    simulator.world().set_status(member, "epic", "EXPIRED").unwrap();
}
