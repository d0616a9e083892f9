//! `demo`.

use crate::harness::{Home, PATIENCE, Running, until};
use std::process::Command;

/// A phrase of each step, in order.
const STEPS: [&str; 12] = [
    "are enrolled",
    "is CONNECTED",
    "it expires",
    "CONNECTED → EXPIRED",
    "a lapse is open",
    "an email",
    "does not use it up",
    "(303)",
    "allows access",
    "recovered",
    "works again",
    "CONNECTED → EXPIRED → CONNECTED",
];

/// Those of `--storm`.
const STORM_STEPS: [&str; 11] = [
    "are enrolled",
    "every connection CONNECTED",
    "expire at once",
    "before the first one",
    "60 of 63 connections lapsed within 5s",
    "a release sends 60 emails at once",
    "does not wait",
    "recovered by themselves",
    "little by little",
    "still broken received an email",
    "60 lapses, 5 emails",
];

fn demo(home: &Home, arguments: &[&str]) -> Command {
    let mut program = home.program();
    program.arg("demo").args(arguments);
    program
}

#[tokio::test]
async fn the_demo_prints_each_step() {
    let home = Home::bare();
    let ended = Running::start(demo(&home, &["--once"])).ended().await.well();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), STEPS.len(), "{}", ended.stdout);
    for (line, step) in lines.iter().zip(STEPS) {
        assert!(line.contains(step), "{step:?} is not in {line:?}");
    }
    // On a busy machine, a sweep can outlast the demo's short schedule.
    let is_unexpected = |line: &&str| !line.contains("event=\"tick_skipped\"");
    assert_eq!(ended.stderr.lines().find(is_unexpected), None, "it logs a warning");
}

#[tokio::test]
async fn the_demo_of_a_storm_prints_each_step_and_one_alert() {
    let home = Home::bare();
    let ended = Running::start(demo(&home, &["--once", "--storm"])).ended().await.well();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), STORM_STEPS.len(), "{}", ended.stdout);
    for (line, step) in lines.iter().zip(STORM_STEPS) {
        assert!(line.contains(step), "{step:?} is not in {line:?}");
    }
    assert_eq!(ended.stderr.matches("event=\"storm_started\"").count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn the_demo_serves_its_pages_until_it_is_stopped() {
    let home = Home::bare();
    let running = Running::start(demo(&home, &[]));
    let said = until("the demo to print its URLs", async || {
        Some(running.stdout()).filter(|said| said.contains("Ctrl-C"))
    })
    .await;
    let urls: Vec<&str> = said.split_whitespace().filter(|word| word.starts_with("http://")).collect();
    let [control, mailbox, pages, dashboard, metrics] = urls[..] else { panic!("{said}") };
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    for url in [control, mailbox, dashboard, metrics] {
        assert_eq!(http.get(url).send().await.unwrap().status(), 200, "{url}");
    }
    let unknown = http.get(format!("{pages}r/unknown")).send().await.unwrap();
    assert_eq!(unknown.status(), 404, "an unknown link");
    running.stopped().await.well();
}
