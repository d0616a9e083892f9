//! The services of the API and the dashboard.

use super::access::AccessTokens;
use crate::base::clock::Clock;
use crate::base::telemetry::ConfigReloads;
use crate::credentials::keyring::Keyring;
use crate::explain::{Explainer, FleetReports};
use crate::store::Store;
use crate::web::wrong_passwords::WrongPasswords;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct AdminState(Arc<AdminServices>);

pub(crate) struct AdminServices {
    pub(crate) tokens: AccessTokens,
    /// See `admin.hosts`.
    pub(crate) hosts: Vec<String>,
    pub(crate) wrong_tokens: Arc<WrongPasswords>,
    /// Writes through `store.acting_as(access.actor())` are audited.
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// One import at a time, so that they wait for each other instead of failing.
    pub(crate) imports: Arc<Mutex<()>>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) explainer: Explainer,
    pub(crate) fleet: FleetReports,
    /// See `storm.drip_per_minute`.
    pub(crate) drip_per_minute: u32,
    pub(crate) config_reloads: ConfigReloads,
}

impl AdminState {
    pub(crate) fn new(services: AdminServices) -> Self {
        Self(Arc::new(services))
    }
}

impl Deref for AdminState {
    type Target = AdminServices;

    fn deref(&self) -> &AdminServices {
        &self.0
    }
}
