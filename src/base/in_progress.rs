//! The work that this process has in progress, by key.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct InProgress<K>(Arc<Mutex<HashSet<K>>>);

/// Keeps its key in progress until it is dropped.
pub(crate) struct InProgressGuard<K: Eq + Hash> {
    all: InProgress<K>,
    key: K,
}

impl<K: Eq + Hash + Clone> InProgress<K> {
    pub(crate) fn begin(&self, key: K) -> InProgressGuard<K> {
        self.lock().insert(key.clone());
        InProgressGuard { all: Self(self.0.clone()), key }
    }

    pub(crate) fn keys(&self) -> Vec<K> {
        self.lock().iter().cloned().collect()
    }
}

impl<K> InProgress<K> {
    fn lock(&self) -> MutexGuard<'_, HashSet<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for InProgress<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash> Drop for InProgressGuard<K> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}
