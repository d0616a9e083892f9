//! The time that a sweep's pure parts take for one member: `cargo bench --bench pure`.
//!
//! Reads a response of four connections, computes its digest, and decides about it: the same as before, first seen, and
//! with one connection broken. Prints the fastest and the median of 50 batches, in nanoseconds.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use chrono::TimeDelta;
use reconnectd::{
    detect::decide::{Policy, decide},
    detect::digest::digest,
    domain::{ConnectionState, Listing, Time},
    gateway::read_listing,
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const BATCHES: usize = 50;
const BATCH: Duration = Duration::from_millis(20);

fn body(first_status: &str) -> String {
    let row = |id: &str, status: &str| {
        format!(
            r#"{{"id":"{id}","name":"Example Health {id}","category":"OAUTH","type":"CLINICAL","integrationType":"PROA","isDirect":false,"status":"{status}","syncStatus":"RETRIEVED","syncErrors":[]}}"#
        )
    };
    let rows = [
        row("epic", first_status),
        row("cerner", "CONNECTED"),
        row("aetna", "CONNECTED"),
        row("quest", "CONNECTED"),
    ];
    format!(r#"{{"data":{{"getMemberConnections":[{}]}}}}"#, rows.join(","))
}

/// The state that a first response leaves.
fn known(listing: &Listing) -> Vec<ConnectionState> {
    let state = |row: &reconnectd::domain::Connection| ConnectionState {
        connection_id: row.id.clone(),
        status: row.status.clone(),
        is_being_deleted: false,
        lapse: None,
        missing: None,
    };
    listing.rows.iter().map(state).collect()
}

fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let (started, mut count) = (Instant::now(), 0);
            while started.elapsed() < BATCH {
                for _ in 0..64 {
                    black_box(work());
                }
                count += 64;
            }
            started.elapsed().as_nanos() as f64 / f64::from(count)
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    println!("{name:<28} {:>7.0} {:>7.0}", batches[0], batches[BATCHES / 2]);
}

fn main() {
    let (connected, expired) = (body("CONNECTED"), body("EXPIRED"));
    let read = |body: &str| read_listing(body.as_bytes()).expect("a readable response");
    let (same, changed) = (read(&connected), read(&expired));
    let states = known(&same);
    let policy = Policy {
        confirm_sweeps: 2,
        confirm_after: TimeDelta::zero(),
        flap_window: TimeDelta::days(7),
        recheck_after: TimeDelta::minutes(30),
    };
    let now = Time::UNIX_EPOCH;
    println!("{:<28} {:>7} {:>7}", "nanoseconds", "fastest", "median");
    measure("read a response", || read(&connected));
    measure("digest", || digest(&same));
    measure("decide: unchanged", || decide(&states, &same, &policy, now));
    measure("decide: first seen", || decide(&[], &same, &policy, now));
    measure("decide: one broke", || decide(&states, &changed, &policy, now));
}
