//! What the pages are made of.

use crate::domain::Time;
use crate::store::Store;
use crate::web::admin::access::Access;
use crate::web::admin::health::HealthState;
use crate::web::admin::state::AdminState;
use std::ops::Deref;
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Dashboard(Arc<Inner>);

pub(super) struct Inner {
    pub(super) admin: AdminState,
    pub(super) health: HealthState,
}

impl Dashboard {
    pub(super) fn new(admin: AdminState, health: HealthState) -> Self {
        Self(Arc::new(Inner { admin, health }))
    }

    pub(super) fn now(&self) -> Time {
        self.admin.clock.now()
    }

    pub(super) fn chart_start(&self) -> Time {
        self.admin.fleet.chart_start()
    }

    /// A store whose writes name the holder of the token in the audit.
    pub(super) fn store_of(&self, access: &Access) -> Store {
        self.admin.store.acting_as(access.actor())
    }
}

impl Deref for Dashboard {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
