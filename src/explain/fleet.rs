//! Reports about the whole fleet, for the API, the dashboard, and the metrics. Their readers share each computation, and
//! use a costly value again for a while.

use crate::base::cached::Cached;
use crate::base::clock::Clock;
use crate::credentials::credential_rules;
use crate::credentials::keyring::Keyring;
use crate::domain::{CredentialRules, Time};
use crate::store::{Funnel, SourceStats, Stats, Store, StoreError};
use crate::traffic::{PathAlarm, PathWatch};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The funnel counts the lapses of this many days.
pub(crate) const FUNNEL_DAYS: i64 = 30;

/// Cheap to clone. Clones share the values.
#[derive(Clone)]
pub struct FleetReports {
    store: Store,
    clock: Clock,
    keyring: Arc<Keyring>,
    /// Whether every member needs a stored refresh token.
    needs_token: bool,
    /// A member without a usable response for so long is unreachable.
    unreachable_after: TimeDelta,
    stats: Cached<Stats>,
    funnel: Cached<Funnel>,
    sources: Cached<Vec<SourceStats>>,
    rules: Cached<CredentialRules>,
    events: Cached<BTreeMap<String, u64>>,
    path_watch: PathWatch,
}

impl FleetReports {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        keyring: Arc<Keyring>,
        needs_token: bool,
        unreachable_after: TimeDelta,
    ) -> Self {
        Self {
            path_watch: PathWatch::new(store.clone(), clock.clone()),
            store,
            clock,
            keyring,
            needs_token,
            unreachable_after,
            stats: Cached::default(),
            funnel: Cached::default(),
            sources: Cached::default(),
            rules: Cached::default(),
            events: Cached::default(),
        }
    }

    /// A member without a usable response since then is unreachable.
    pub(crate) fn unreachable_since(&self) -> Time {
        self.clock.now() - self.unreachable_after
    }

    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn credential_rules(&self) -> Result<Arc<CredentialRules>, StoreError> {
        self.rules.get(async || credential_rules(&self.store, &self.keyring, self.needs_token).await).await
    }

    /// The events by state.
    ///
    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn events(&self) -> Result<Arc<BTreeMap<String, u64>>, StoreError> {
        self.events.get(async || self.store.count_events().await).await
    }

    /// # Errors
    /// Only errors of the store.
    pub async fn stats(&self) -> Result<Arc<Stats>, StoreError> {
        self.stats
            .get(async || {
                let rules = self.credential_rules().await?;
                self.store.stats(&rules, self.unreachable_since()).await
            })
            .await
    }

    /// The funnel of the last [`FUNNEL_DAYS`].
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn funnel(&self) -> Result<Arc<Funnel>, StoreError> {
        let since = self.clock.now() - TimeDelta::days(FUNNEL_DAYS);
        self.funnel.get(async || self.store.funnel(since).await).await
    }

    /// # Errors
    /// Only errors of the store.
    pub async fn sources(&self) -> Result<Arc<Vec<SourceStats>>, StoreError> {
        self.sources.get(async || self.store.source_stats(self.clock.now()).await).await
    }

    /// The sources and the email domains whose emails people press far less than usual.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn path_alarms(&self) -> Result<Arc<Vec<PathAlarm>>, StoreError> {
        self.path_watch.alarms().await
    }
}
