//! Records the texts of all statements, for the test of their plans. Off, except in tests.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static IS_RECORDING: AtomicBool = AtomicBool::new(false);
/// New texts, and those that [`take`] has returned.
static TEXTS: Mutex<(BTreeSet<String>, BTreeSet<String>)> = Mutex::new((BTreeSet::new(), BTreeSet::new()));

pub(in crate::store) fn start() {
    IS_RECORDING.store(true, Ordering::Relaxed);
}

pub(super) fn record(text: &str) {
    if !IS_RECORDING.load(Ordering::Relaxed) {
        return;
    }
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (new, taken) = &mut *texts;
    if !taken.contains(text) && !new.contains(text) {
        new.insert(text.to_owned());
    }
}

/// The texts that were recorded since the last call, each only once in the life of the process.
pub(in crate::store) fn take() -> Vec<String> {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (new, taken) = &mut *texts;
    let texts: Vec<String> = std::mem::take(new).into_iter().collect();
    taken.extend(texts.iter().cloned());
    texts
}
