//! The keys in memory.

use super::error::KeyringError;
use super::file::RingFile;
use super::key::Key;
use super::mac_keys::MacKeys;
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Ring {
    /// Those of the file, the oldest first. Never empty.
    pub(super) keys: Vec<Arc<Key>>,
    /// The id of the key that encrypts.
    pub(super) sealing: String,
    /// Of the keys that are former ones, the oldest first.
    former: Vec<Arc<MacKeys>>,
    /// The keys that have left the file, and those that had left it before.
    removed: [Vec<Arc<Key>>; 2],
}

impl Ring {
    pub(super) fn new(keys: Vec<Arc<Key>>) -> Self {
        let sealing = keys.last().map(|key| key.id.clone()).unwrap_or_default();
        Self { keys, sealing, former: Vec::new(), removed: Default::default() }
    }

    /// The ring with the file's keys. `None`: they are the same. If the file has the key `sought`, with which the database
    /// has a value, it is the database's ring.
    ///
    /// # Errors
    /// The ring would lose the key that encrypts, or have another one under the id of a known one.
    pub(super) fn with_keys(
        &self,
        file: &RingFile,
        sought: Option<&str>,
    ) -> Result<Option<Self>, KeyringError> {
        let keys = &file.keys;
        for known in self.keys.iter().chain(self.removed.iter().flatten()) {
            if keys.iter().any(|key| key.id == known.id && key.secret != known.secret) {
                return Err(KeyringError::OtherKey(known.id.clone()));
            }
        }
        let has = |id: &str| keys.iter().any(|key| key.id == id);
        if !has(&self.sealing) && !self.is_retired(&self.sealing) && !sought.is_some_and(has) {
            return Err(KeyringError::OtherRing { path: file.path.clone(), key: self.sealing.clone() });
        }
        if keys.iter().map(|key| &key.id).eq(self.keys.iter().map(|key| &key.id)) {
            return Ok(None);
        }
        let mut next = self.clone();
        for left in self.keys.iter().filter(|known| !keys.iter().any(|key| key.id == known.id)) {
            next.keep_derived(&left.macs);
            next.removed[0].push(left.clone());
        }
        next.keys.clone_from(keys);
        next.leave_retired();
        Ok(Some(next))
    }

    pub(super) fn key(&self, id: &str) -> Option<&Arc<Key>> {
        self.keys.iter().find(|key| key.id == id)
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.key(id).is_some()
    }

    /// The key of this id, even if it has left the file a while ago.
    pub(super) fn opener(&self, id: &str) -> Option<&Arc<Key>> {
        self.key(id).or_else(|| self.removed.iter().flatten().find(|key| key.id == id))
    }

    /// # Errors
    /// The ring lacks the key that encrypts, which does not happen.
    pub(super) fn sealing(&self) -> Result<&Arc<Key>, KeyringError> {
        self.key(&self.sealing).ok_or_else(|| KeyringError::UnknownKey(self.sealing.clone()))
    }

    pub(super) fn newest(&self) -> &str {
        self.keys.last().map(|key| key.id.as_str()).unwrap_or_default()
    }

    /// What was derived from all keys, former ones included, the oldest first.
    pub(super) fn macs(&self) -> impl Iterator<Item = &Arc<MacKeys>> {
        let is_new = |key: &&Arc<Key>| !self.is_retired(&key.id);
        self.former.iter().chain(self.keys.iter().filter(is_new).map(|key| &key.macs))
    }

    pub(super) fn is_retired(&self, id: &str) -> bool {
        self.former.iter().any(|former| former.id == id)
    }

    pub(super) fn set_former(&mut self, former: Vec<Arc<MacKeys>>) {
        self.former = former;
        self.leave_retired();
    }

    pub(super) fn retire(&mut self, id: &str) {
        if let Some(macs) = self.opener(id).map(|key| key.macs.clone()) {
            self.keep_derived(&macs);
        }
        self.leave_retired();
    }

    pub(super) fn forget_removed(&mut self) {
        self.removed.rotate_right(1);
        self.removed[0].clear();
    }

    fn keep_derived(&mut self, macs: &Arc<MacKeys>) {
        if !self.is_retired(&macs.id) {
            self.former.push(macs.clone());
        }
    }

    /// A former key must not encrypt, if there is another one.
    pub(super) fn leave_retired(&mut self) {
        if self.is_retired(&self.sealing)
            && let Some(next) = self.keys.iter().rev().find(|key| !self.is_retired(&key.id))
        {
            self.sealing = next.id.clone();
        }
    }
}
