//! The refreshes of this process that are not finished. A person who needs the result of one hurries it.

use crate::domain::MemberId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// By member, whether a person waits for the refresh.
type Pending = HashMap<MemberId, watch::Sender<bool>>;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct PendingRefreshes(Arc<Mutex<Pending>>);

impl PendingRefreshes {
    /// Registers a refresh until the guard is dropped.
    pub(super) fn register(&self, member: &MemberId) -> (watch::Receiver<bool>, PendingRefresh) {
        let (urgent, is_urgent) = watch::channel(false);
        self.lock().insert(member.clone(), urgent);
        (is_urgent, PendingRefresh { all: self.clone(), member: member.clone() })
    }

    /// Does nothing when no refresh of the member is pending in this process.
    pub(super) fn hurry(&self, member: &MemberId) {
        if let Some(urgent) = self.lock().get(member) {
            urgent.send_replace(true);
        }
    }

    pub(super) fn has(&self, member: &MemberId) -> bool {
        self.lock().contains_key(member)
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct PendingRefresh {
    all: PendingRefreshes,
    member: MemberId,
}

impl Drop for PendingRefresh {
    fn drop(&mut self) {
        self.all.lock().remove(&self.member);
    }
}
