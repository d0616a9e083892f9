//! `demo`.

use crate::harness::{Home, PATIENCE, Running, until};
use std::process::Command;

/// The words that each step of the story is told by, in their order.
const STEPS: [&str; 12] = [
    "are enrolled",
    "is CONNECTED",
    "it expires",
    "transition CONNECTED → EXPIRED",
    "a lapse is open",
    "a mail reached alice",
    "looking at it, twice, has spent nothing",
    "leads to the sign-in at epic (303)",
    "allows the access",
    "the lapse is closed, recovered",
    "pressing it again leads nowhere",
    "done: CONNECTED → EXPIRED → CONNECTED",
];

fn demo(home: &Home, arguments: &[&str]) -> Command {
    let mut program = home.program();
    program.arg("demo").args(arguments);
    program
}

#[tokio::test]
async fn the_demo_plays_the_story_through_telling_each_step() {
    let home = Home::bare();
    let ended = Running::start(demo(&home, &["--once"])).ended().await.well();
    let told: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(told.len(), STEPS.len(), "{}", ended.stdout);
    for (line, step) in told.iter().zip(STEPS) {
        assert!(line.contains(step), "{step:?} is not in {line:?}");
    }
    assert_eq!(ended.stderr, "", "nothing is wrong, so nothing is logged");
}

#[tokio::test]
async fn the_demo_serves_its_pages_until_it_is_asked_to_end() {
    let home = Home::bare();
    let running = Running::start(demo(&home, &[]));
    let said = until("the demo to say where it is", async || {
        Some(running.stdout()).filter(|said| said.contains("Ctrl-C ends it"))
    })
    .await;
    let urls: Vec<&str> = said.split_whitespace().filter(|word| word.starts_with("http://")).collect();
    let [control, mailbox, pages, metrics] = urls[..] else { panic!("{said}") };
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    for url in [control, mailbox, metrics] {
        assert_eq!(http.get(url).send().await.unwrap().status(), 200, "{url}");
    }
    let unknown = http.get(format!("{pages}r/unknown")).send().await.unwrap();
    assert_eq!(unknown.status(), 404, "a link that never was one");
    running.stopped().await.well();
}
