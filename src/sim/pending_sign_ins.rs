//! Sign-ins that have started and not ended.

use super::ids::MemberNo;
use crate::domain::Time;
use std::collections::HashMap;

/// Reconnect URLs that no member has used yet.
#[derive(Default)]
pub(super) struct PendingSignIns {
    by_state: HashMap<String, SignIn>,
    /// Expired entries are removed when the map reaches this size.
    cleanup_size: usize,
}

#[derive(Clone)]
pub(super) struct SignIn {
    pub(super) member: MemberNo,
    pub(super) connection: String,
    pub(super) expires: Time,
}

impl PendingSignIns {
    pub(super) fn add(&mut self, state: String, sign_in: SignIn, now: Time) {
        if self.by_state.len() >= self.cleanup_size.max(1024) {
            self.by_state.retain(|_, sign_in| now < sign_in.expires);
            self.cleanup_size = self.by_state.len() * 2;
        }
        self.by_state.insert(state, sign_in);
    }

    pub(super) fn get(&self, state: &str, now: Time) -> Option<&SignIn> {
        self.by_state.get(state).filter(|sign_in| now < sign_in.expires)
    }

    pub(super) fn take(&mut self, state: &str, now: Time) -> Option<SignIn> {
        self.by_state.remove(state).filter(|sign_in| now < sign_in.expires)
    }
}
