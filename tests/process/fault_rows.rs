//! The rows about the database in `deploy/faults.md`. Each test of such a fault states the row of what it saw.

use crate::fault_document::{self, DATABASE};
use crate::harness::until_true;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

const SEPARATOR: &str = "| --- | --- | --- |";
/// When the cause is gone.
pub(crate) const GOES_ON: &str = "the daemon goes on by itself";

/// Two tests must not write the document at once.
static WRITER: Mutex<()> = Mutex::new(());

/// Waits until a loop fails. Then compares the row of this fault, after which the daemon goes on. See [`expect_row`].
pub(crate) async fn expect_failing_loop(fault: &str, readiness: &str, log: impl Fn() -> String) {
    until_true("a loop that fails", async || log().contains("event=\"loop_failed\"")).await;
    expect_row(fault, GOES_ON, readiness, ("loop_failed", &log()));
}

/// Compares the row of this fault with the document. `end` says how it ends, `/readyz` returned `readiness` meanwhile, and
/// the daemon logged the event as an error.
#[track_caller]
pub(crate) fn expect_row(fault: &str, end: &str, readiness: &str, (event, log): (&str, &str)) {
    let is_logged = |line: &str| line.contains(" ERROR ") && line.contains(&format!("event=\"{event}\""));
    assert!(log.lines().any(is_logged), "{event} is not in\n{log}");
    let row = format!("| {fault} | {end} | `/readyz` 503 `{readiness}`, `{event}` (ERROR) |");
    if !fault_document::is_to_be_written() {
        let document = fault_document::read();
        let section = fault_document::section(&document, DATABASE);
        assert!(section.lines().any(|line| line == row), "deploy/faults.md lacks what happened: {row}");
        return;
    }
    let _writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    let document = fault_document::read();
    let section = fault_document::section(&document, DATABASE);
    let of_this_fault = format!("| {fault} |");
    let (head, rows) = section.split_once(SEPARATOR).expect("a table");
    let others = rows.lines().filter(|line| line.starts_with('|') && !line.starts_with(&of_this_fault));
    let rows: BTreeSet<&str> = others.chain([row.as_str()]).collect();
    let rows = Vec::from_iter(rows).join("\n");
    fault_document::write(&document.replace(section.trim_end(), &format!("{head}{SEPARATOR}\n{rows}")));
}
