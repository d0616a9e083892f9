//! The components in force, for the loops that outlive a configuration.

use super::components::App;
use std::sync::{Arc, PoisonError, RwLock};

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Current(Arc<RwLock<Arc<App>>>);

impl Current {
    pub(super) fn new(app: App) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(app))))
    }

    /// For one step: the next one may find others.
    pub(super) fn app(&self) -> Arc<App> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, app: App) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(app);
    }
}
