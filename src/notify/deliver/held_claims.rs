//! The notices that this process holds. It knows better than the wall clock, which may be set, that it still delivers them.

use crate::domain::NoticeId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct HeldClaims(Arc<Mutex<HashSet<NoticeId>>>);

/// One notice that this process delivers.
pub(super) struct HeldClaim {
    all: HeldClaims,
    notice: NoticeId,
}

impl HeldClaims {
    /// Holds a notice until the guard is dropped.
    pub(super) fn hold(&self, notice: NoticeId) -> HeldClaim {
        self.lock().insert(notice.clone());
        HeldClaim { all: self.clone(), notice }
    }

    pub(super) fn notices(&self) -> Vec<NoticeId> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<NoticeId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldClaim {
    fn drop(&mut self) {
        self.all.lock().remove(&self.notice);
    }
}
