//! Disks and files that fail the daemon: full, read-only, damaged. The disk of a test is mounted for its processes only.

mod damaged;
mod full;
mod read_only;

use crate::harness::{Daemon, Home, PATIENCE, until_true};
use reconnectd::sim::Simulator;

/// The status of `/readyz` and its reason code.
async fn readiness(daemon: &Daemon) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let answer = http.get(format!("http://{}/readyz", daemon.admin)).send().await.unwrap();
    let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, body.split([':', '\n']).next().unwrap().to_owned())
}

async fn until_readiness(daemon: &Daemon, status: u16, code: &str) {
    let what = format!("/readyz to return {status} {code}");
    until_true(&what, async || readiness(daemon).await == (status, code.to_owned())).await;
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
