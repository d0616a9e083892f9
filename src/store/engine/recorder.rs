//! Records the texts of all statements, for the test of their plans. Off, except in tests.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static IS_RECORDING: AtomicBool = AtomicBool::new(false);
/// New statements, and those that [`take`] has returned.
static STATEMENTS: Mutex<(BTreeSet<Statement>, BTreeSet<Statement>)> =
    Mutex::new((BTreeSet::new(), BTreeSet::new()));

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Statement {
    Sqlite { text: String },
    Postgres { text: String, types: Vec<&'static str> },
}

pub(in crate::store) fn start() {
    IS_RECORDING.store(true, Ordering::Relaxed);
}

pub(super) fn record(statement: impl FnOnce() -> Statement) {
    if !IS_RECORDING.load(Ordering::Relaxed) {
        return;
    }
    let statement = statement();
    let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (new, taken) = &mut *statements;
    if !taken.contains(&statement) {
        new.insert(statement);
    }
}

/// The statements of one kind that were recorded since the last call, each only once in the life of the process.
pub(in crate::store) fn take(is_of_kind: impl Fn(&Statement) -> bool) -> Vec<Statement> {
    let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (new, taken) = &mut *statements;
    let (of_kind, others) = std::mem::take(new).into_iter().partition::<BTreeSet<_>, _>(is_of_kind);
    *new = others;
    taken.extend(of_kind.iter().cloned());
    of_kind.into_iter().collect()
}
