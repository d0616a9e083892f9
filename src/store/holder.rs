//! The instance that this process is. Its leases name it.

use super::engine::{Tx, per_engine};
use super::error::Result;
use crate::base::random;
use crate::domain::{InstanceId, Time};
use std::sync::{Arc, PoisonError, RwLock};

/// What an instance tells about itself.
#[derive(Clone, Debug)]
pub struct Registration {
    pub id: InstanceId,
    pub command: InstanceCommand,
    /// The ids of the keys in its key ring, the newest first.
    pub key_ids: Vec<String>,
    /// The key that it encrypts with.
    pub sealing_key: String,
    pub started_at: Time,
}

/// A command that sweeps and delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceCommand {
    Run,
    Once,
}

impl InstanceCommand {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Once => "once",
        }
    }
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    /// `None` in a process that is no instance.
    registration: Arc<RwLock<Option<Registration>>>,
    /// Stands for the id of an instance where a process that is none polls a page.
    name: Arc<str>,
}

impl Default for Holder {
    fn default() -> Self {
        Self { registration: Arc::default(), name: random::nonce().into() }
    }
}

impl Holder {
    pub(super) fn set(&self, registration: Option<Registration>) {
        *self.registration.write().unwrap_or_else(PoisonError::into_inner) = registration;
    }

    pub(super) fn registration(&self) -> Option<Registration> {
        self.registration.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn id(&self) -> Option<InstanceId> {
        self.registration().map(|registration| registration.id)
    }

    /// The id of the instance, or another name of this process.
    pub(super) fn name(&self) -> String {
        self.id().map_or_else(|| self.name.as_ref().to_owned(), |id| id.as_str().to_owned())
    }

    /// Whether this process may take leases: not while the others presume it dead, because they would free the leases at
    /// once. They cannot presume so before the unit of work ends.
    ///
    /// # Errors
    /// Also [`super::StoreError::Damaged`]: no work begins on what may be wrong.
    pub(super) async fn may_lease(&self, tx: &mut Tx) -> Result<bool> {
        tx.verify_undamaged()?;
        let Some(id) = self.id() else { return Ok(true) };
        const REGISTERED: &str = "SELECT 1 FROM instances WHERE instance_id = $1";
        let registered = per_engine(REGISTERED, format!("{REGISTERED} FOR KEY SHARE"));
        Ok(registered.bind(id.as_str()).fetch_optional(tx).await?.is_some())
    }
}

/// SQL for "lease `row` is held by an instance that is dead".
pub(super) const IS_ORPHANED: &str =
    "holder IS NOT NULL AND holder NOT IN (SELECT instance_id FROM instances)";
