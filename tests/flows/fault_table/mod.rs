//! Each fault, at each stage of what the daemon does with other systems. What it records is `deploy/faults.md`, which an
//! operator reads.

mod certificates;
mod gateway;
mod hooks;
mod http_faults;
mod mail;
mod receiver;
mod row;

use crate::fault_document;
use gateway::Stage;
use row::Section;
use std::thread;

const INTRODUCTION: &str = "\
# What faults do

This table says what reconnectd makes of each fault of another system: what it concludes, what it does next, and what you
see. A test lets each fault happen, reads the daemon's records, and compares them with this file. So each row is what this
version does.

In each row, a connection of the member had just expired. After each fault, the test lets the other system work again, and
verifies that the story ends as if there had been no fault: the change is recorded once, and the member gets one email.

- Waits are without their jitter, which lengthens them by up to a tenth.
- \"What you see\" lists events of the log with their levels, values of the label `outcome` of
  `reconnectd_gateway_request_duration_seconds`, and alerts of `deploy/prometheus` that watch these values. An alert fires
  only if such outcomes are frequent. A notice that waits for more than an hour raises `ReconnectdQueueAge`, whatever the
  cause; events that wait raise `ReconnectdEventsQueue` and `ReconnectdEventsFailed`.
- For the gateway, `gateway.timeout` is two seconds here. It is for the whole exchange, so a response that trickles ends with
  it, too.
- A sweep in which most polls fail ends early, and the next one begins with the members that are left. `status` and the
  metrics say so.
";

/// Runs on a thread of its own, because a log belongs to a thread.
fn on_a_thread<F: Future<Output = Section>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> thread::JoinHandle<Section> {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work())
    })
}

/// Also measures what takes as long as the daemon's patience.
const LONG: &str = "RECONNECTD_TEST_PATIENCE";

#[test]
fn the_document_says_what_each_fault_does() {
    let present = fault_document::read();
    let is_long = std::env::var_os(LONG).is_some();
    let mut parts: Vec<_> =
        Stage::ALL.into_iter().map(|stage| on_a_thread(move || gateway::section(stage))).collect();
    parts.push(on_a_thread(mail::section));
    parts.push(on_a_thread(receiver::section));
    parts.push(on_a_thread(hooks::section));
    let patience = is_long.then(|| on_a_thread(mail::patience));
    let mut sections = vec![INTRODUCTION.to_owned()];
    let measured = |part: thread::JoinHandle<Section>| {
        part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).markdown()
    };
    sections.extend(parts.into_iter().map(measured));
    let kept = |title| fault_document::section(&present, title).to_owned();
    sections.push(kept(fault_document::DATABASE));
    sections.push(patience.map_or_else(|| kept(mail::PATIENCE), measured));
    let document = sections.join("\n");
    if fault_document::is_to_be_written() {
        return fault_document::write(&document);
    }
    let differing: Vec<_> =
        document.lines().filter(|line| !present.lines().any(|other| other == *line)).collect();
    assert!(present == document, "deploy/faults.md is not what happened: {differing:#?}");
}
