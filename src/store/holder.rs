//! The instance that this process is. Its leases name it.

use super::engine::{Tx, per_engine};
use super::error::Result;
use crate::domain::{InstanceId, Time};
use std::sync::{Arc, PoisonError, RwLock};

/// What an instance tells about itself.
#[derive(Clone, Debug)]
pub struct Registration {
    pub id: InstanceId,
    pub command: InstanceCommand,
    /// The ids of the keys in its key ring, the newest first.
    pub key_ids: Vec<String>,
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

/// Empty in a process that is no instance. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Holder(Arc<RwLock<Option<Registration>>>);

impl Holder {
    pub(super) fn set(&self, registration: Option<Registration>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = registration;
    }

    pub(super) fn registration(&self) -> Option<Registration> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn id(&self) -> Option<InstanceId> {
        self.registration().map(|registration| registration.id)
    }

    /// Whether this process may take leases: not while the others presume it dead, because they would free the leases at
    /// once. They cannot presume so before the unit of work ends.
    pub(super) async fn may_lease(&self, tx: &mut Tx) -> Result<bool> {
        let Some(id) = self.id() else { return Ok(true) };
        const REGISTERED: &str = "SELECT 1 FROM instances WHERE instance_id = $1";
        let registered = per_engine(REGISTERED, format!("{REGISTERED} FOR KEY SHARE"));
        Ok(registered.bind(id.as_str()).fetch_optional(tx).await?.is_some())
    }
}

/// SQL for "lease `row` is held by an instance that is dead".
pub(super) const IS_ORPHANED: &str =
    "holder IS NOT NULL AND holder NOT IN (SELECT instance_id FROM instances)";
