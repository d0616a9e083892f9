//! The rows about the database in `deploy/faults.md`. Each test of such a fault states the row of what it saw.

use crate::fault_document::{self, DATABASE};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// When the cause is gone.
pub(crate) const GOES_ON: &str = "the daemon goes on by itself";

/// Two tests must not write the document at once.
static WRITER: Mutex<()> = Mutex::new(());

/// Compares the row of this fault with the document. `next` says how it ends, `readiness` is what `/readyz` said meanwhile,
/// and `log` is what the daemon logged.
pub(crate) fn expect_row(fault: &str, next: &str, readiness: &str, log: &str) {
    let seen = [format!("`/readyz` 503 `{readiness}`")].into_iter().chain(errors(log));
    let row = format!("| {fault} | {next} | {} |", seen.collect::<Vec<_>>().join(", "));
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
    let others = section.trim_end().lines().filter(|line| !line.starts_with(&of_this_fault));
    let rows: Vec<_> = others.chain([row.as_str()]).collect();
    fault_document::write(&document.replace(section.trim_end(), &rows.join("\n")));
}

/// The events that the log reports as errors.
fn errors(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter(|line| line.contains(" ERROR "));
    let event = |line: &str| line.split_once("event=\"")?.1.split('"').next().map(str::to_owned);
    lines.filter_map(event).map(|event| format!("`{event}` (ERROR)")).collect()
}
