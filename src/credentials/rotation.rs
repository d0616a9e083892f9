//! A rotation of the keys: a new key encrypts everything, and the older ones leave the ring when nothing needs them.
//!
//! Each step can be interrupted; the next run goes on from there. A ring with more than one key has an unfinished rotation.
//! The order of the steps keeps every credential readable. The file gets the new key. All live instances read it. Rows are
//! sealed with it. No instance encrypts with an older key. The database refuses the older key. The file loses it.

use super::error::CallError;
use super::former_keys::owner;
use super::key_check::leave_canary;
use super::keyring::{Keyring, KeyringError, SealedField};
use crate::base::clock::Clock;
use crate::domain::{AuditAction, AuditEntry, InstanceId, MemberId};
use crate::store::{InstanceKeys, Resealed, SealedTable, Store};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Values in one unit of work.
const PAGE: u32 = 200;
/// Between two looks at what the instances do.
const LOOK: Duration = Duration::from_millis(500);
const TABLES: [(SealedTable, SealedField); 2] = [
    (SealedTable::Credentials, SealedField::RefreshToken),
    (SealedTable::AccessTokens, SealedField::AccessToken),
];

pub struct Rotation<'a> {
    /// Acts for the operator.
    pub store: &'a Store,
    pub keyring: &'a Keyring,
    pub clock: &'a Clock,
    /// Where the next ring is written to, if the file of the ring cannot be changed.
    pub to: Option<PathBuf>,
    /// How long to wait for instances.
    pub patience: Duration,
}

/// What is left to do before another run can finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// The new ring is in another file. Nothing else was done.
    PutInPlace(PathBuf),
    /// These instances lack the new key.
    WithoutKey(Vec<InstanceId>),
    /// These instances still encrypt with an older key.
    SealingWithOld(Vec<InstanceId>),
    /// An older key does not open these members' credentials.
    Unreadable(Vec<MemberId>),
    /// Something is still sealed with an older key: an import is under way, or rows changed all the time.
    Busy,
    /// Nothing needs the removed keys, but the file of the ring, which still has them, cannot be changed.
    RemoveByHand,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RotationReport {
    /// The key that encrypts from now on.
    pub key_id: String,
    /// Whether this run has made it.
    pub is_new: bool,
    /// The values that this run sealed again.
    pub resealed: u64,
    /// The keys that nothing needs anymore.
    pub removed: Vec<String>,
    /// The credentials under keys that the ring lacks.
    pub locked: u64,
    /// `None`: finished.
    pub pending: Option<Pending>,
}

/// The values that are sealed again, and their number at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationProgress {
    pub resealed: u64,
    pub total: u64,
}

type Result<T, E = CallError> = std::result::Result<T, E>;

impl Rotation<'_> {
    /// # Errors
    /// Those of the store and of the key ring. What was done stays.
    pub async fn run(&self, mut show: impl FnMut(RotationProgress)) -> Result<RotationReport> {
        let _lock = self.store.lock_rotation().await?;
        if let Some(file) = self.to.as_ref().filter(|file| file.exists()) {
            return Err(KeyringError::Exists(file.clone()).into());
        }
        let mut report = RotationReport { is_new: self.keyring.key_ids().len() == 1, ..Default::default() };
        report.key_id = if report.is_new {
            self.keyring.add_key(self.to.as_deref())?
        } else {
            self.keyring.newest_key_id()
        };
        let entry = AuditEntry::new(AuditAction::KeyRotate).target(report.key_id.as_str());
        self.store.record_audit(entry, self.clock.now()).await?;
        report.pending = self.rotate(&mut report, &mut show).await?;
        Ok(report)
    }

    async fn rotate(
        &self,
        report: &mut RotationReport,
        show: &mut impl FnMut(RotationProgress),
    ) -> Result<Option<Pending>> {
        if let Some(file) = self.to.as_ref().filter(|_| report.is_new) {
            return Ok(Some(Pending::PutInPlace(file.clone())));
        }
        let key = report.key_id.clone();
        let without = self.wait_for_instances(|keys| keys.key_ids.contains(&key)).await?;
        if !without.is_empty() {
            return Ok(Some(Pending::WithoutKey(without)));
        }
        self.keyring.seal_with(&key);
        leave_canary(self.store, self.keyring).await?;
        let mut old = self.keyring.key_ids();
        // The oldest first.
        old.reverse();
        old.retain(|id| *id != key);
        let mut progress = RotationProgress { total: self.count(&old).await?, ..Default::default() };
        let started = self.clock.monotonic();
        let pending = loop {
            show(progress);
            let unreadable = self.reseal_all(&old, &key, &mut progress, show).await?;
            report.resealed = progress.resealed;
            let pending = self.retire(&old, &key, &mut report.removed).await?;
            if pending.is_none() {
                break None;
            } else if !unreadable.is_empty() {
                break Some(Pending::Unreadable(unreadable));
            } else if self.clock.monotonic() - started >= self.patience {
                break pending;
            }
            tokio::time::sleep(LOOK).await;
        };
        report.locked = self.count_locked().await?;
        let removal = self.remove(&report.removed)?;
        Ok(pending.or(removal))
    }

    /// The instances that are alive and do not fulfil the condition, when patience has ended.
    async fn wait_for_instances(&self, is_ready: impl Fn(&InstanceKeys) -> bool) -> Result<Vec<InstanceId>> {
        let started = self.clock.monotonic();
        loop {
            let instances = self.store.keys_of_instances(self.clock.now()).await?;
            let waiting: Vec<_> =
                instances.into_iter().filter(|keys| !is_ready(keys)).map(|keys| keys.instance).collect();
            if waiting.is_empty() || self.clock.monotonic() - started >= self.patience {
                return Ok(waiting);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn count(&self, keys: &[String]) -> Result<u64> {
        let mut total = 0;
        for key in keys {
            for (table, _) in TABLES {
                total += self.store.count_sealed(table, key).await?;
            }
        }
        Ok(total)
    }

    /// The credentials under keys that the ring lacks.
    async fn count_locked(&self) -> Result<u64> {
        let by_key = self.store.credentials_by_key().await?;
        let known = self.keyring.key_ids();
        Ok(by_key.iter().filter(|(key, _)| !known.contains(key)).map(|(_, count)| count).sum())
    }

    /// Seals everything with the new key that older keys sealed. Returns the members whose credential does not open.
    async fn reseal_all(
        &self,
        old: &[String],
        key: &str,
        progress: &mut RotationProgress,
        show: &mut impl FnMut(RotationProgress),
    ) -> Result<Vec<MemberId>> {
        let mut unreadable = Vec::new();
        for from in old {
            for (table, field) in TABLES {
                let mut after = None;
                loop {
                    let started = Instant::now();
                    let page = self.store.sealed_page(table, from, after.as_ref(), PAGE).await?;
                    let Some((last, _)) = page.last() else { break };
                    after = Some(last.clone());
                    let mut rows = Vec::with_capacity(page.len());
                    for (member, sealed) in page {
                        match self.keyring.seal_again(&member, field, &sealed, key) {
                            Ok(new) => rows.push(Resealed { member, old: sealed, new }),
                            // The gateway issues another one.
                            Err(_) if table == SealedTable::AccessTokens => {
                                self.store.drop_access_token(&member, &sealed).await?;
                            }
                            Err(_) => unreadable.push(member),
                        }
                    }
                    progress.resealed += self.store.reseal(table, &rows).await?;
                    show(*progress);
                    // Other processes have their turn to write.
                    tokio::time::sleep(started.elapsed()).await;
                }
            }
        }
        self.reseal_former_keys(key).await?;
        Ok(unreadable)
    }

    async fn reseal_former_keys(&self, key: &str) -> Result<()> {
        for former in self.store.former_keys().await? {
            let (id, old) = (&former.key_id, &former.sealed);
            // One under a lost key stays as it is.
            if old.key_id != key && self.keyring.has_key(&old.key_id) {
                let new = self.keyring.seal_again(&owner(id), SealedField::FormerKey, old, key)?;
                self.store.reseal_former_key(id, old, &new).await?;
            }
        }
        Ok(())
    }

    /// Makes the keys former ones that nothing needs. Returns what is in the way.
    async fn retire(&self, old: &[String], key: &str, removed: &mut Vec<String>) -> Result<Option<Pending>> {
        let now = self.clock.now();
        // The rows of an import that was killed wait for the next one.
        self.store.finish_interrupted_import(now).await?;
        for id in old.iter().filter(|id| !removed.contains(id)).cloned().collect::<Vec<_>>() {
            let instances = self.store.keys_of_instances(now).await?;
            let is_old = |sealing: &Option<String>| sealing.as_deref() != Some(key);
            let sealing: Vec<_> = instances
                .into_iter()
                .filter(|keys| is_old(&keys.sealing_key))
                .map(|keys| keys.instance)
                .collect();
            if !sealing.is_empty() {
                return Ok(Some(Pending::SealingWithOld(sealing)));
            }
            let derived = self.keyring.derived_keys(&id);
            let derived = derived.ok_or_else(|| KeyringError::UnknownKey(id.clone()))?;
            let derived = self.keyring.seal(&owner(&id), SealedField::FormerKey, &derived)?;
            if !self.store.retire_key(&id, &derived, now).await? {
                return Ok(Some(Pending::Busy));
            }
            removed.push(id);
        }
        Ok(None)
    }

    fn remove(&self, keys: &[String]) -> Result<Option<Pending>> {
        if keys.is_empty() {
            return Ok(None);
        }
        match self.keyring.remove_keys(keys, self.to.as_deref()) {
            Err(KeyringError::ReadOnly { .. }) => Ok(Some(Pending::RemoveByHand)),
            removed => Ok(removed.map(|()| None)?),
        }
    }
}
