//! Reports about the whole fleet, for the API, the dashboard, and the metrics. Their readers share each computation, and
//! use a costly value again for a while.

use crate::base::cached::Cached;
use crate::base::clock::Clock;
use crate::credentials::credential_rules;
use crate::credentials::keyring::Keyring;
use crate::domain::{CredentialRules, Time};
use crate::store::{ChartMark, DayCount, Funnel, RecoveryTimes, SourceStats, Stats, Store, StoreError};
use crate::traffic::{PathAlarm, PathWatch};
use chrono::{NaiveTime, TimeDelta};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The funnel counts the lapses of this many days.
pub(crate) const FUNNEL_DAYS: i64 = 30;

/// The range of the charts, today included.
const CHART_DAYS: i64 = 30;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What happened on each day of the charts' range.
#[derive(Debug)]
pub(crate) struct Trends {
    pub(crate) opened: Vec<DayCount>,
    pub(crate) recovered: Vec<DayCount>,
    pub(crate) sent: Vec<DayCount>,
    pub(crate) marks: Vec<ChartMark>,
}

impl Trends {
    async fn load(store: Store, since: Time) -> Result<Self> {
        Ok(Self {
            opened: store.lapses_by_day(since).await?,
            recovered: store.recoveries_by_day(since).await?,
            sent: store.emails_by_day(since).await?,
            marks: store.chart_marks(since).await?,
        })
    }
}

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
    trends: Cached<Trends>,
    recovery_times: Cached<RecoveryTimes>,
    rules: Cached<CredentialRules>,
    events: Cached<BTreeMap<String, u64>>,
    under_old_keys: Cached<u64>,
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
            stats: Cached::new(&clock),
            funnel: Cached::new(&clock),
            sources: Cached::new(&clock),
            trends: Cached::new(&clock),
            recovery_times: Cached::new(&clock),
            rules: Cached::new(&clock),
            events: Cached::new(&clock),
            under_old_keys: Cached::new(&clock),
            store,
            clock,
            keyring,
            needs_token,
            unreachable_after,
        }
    }

    /// A member without a usable response since then is unreachable.
    pub(crate) fn unreachable_since(&self) -> Time {
        self.clock.now() - self.unreachable_after
    }

    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn credential_rules(&self) -> Result<Arc<CredentialRules>> {
        let this = self.clone();
        self.rules.get(async move { this.count_rules().await }).await
    }

    /// The events by state.
    ///
    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn events(&self) -> Result<Arc<BTreeMap<String, u64>>> {
        let store = self.store.clone();
        self.events.get(async move { store.count_events().await }).await
    }

    /// The refresh tokens that the newest key of the ring did not seal.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn under_old_keys(&self) -> Result<Arc<u64>> {
        let (store, newest) = (self.store.clone(), self.keyring.newest_key_id());
        self.under_old_keys.get(async move { store.count_not_sealed_with(&newest).await }).await
    }

    /// # Errors
    /// Only errors of the store.
    pub async fn stats(&self) -> Result<Arc<Stats>> {
        self.stats.get(self.clone().count_stats()).await
    }

    /// The funnel of the last [`FUNNEL_DAYS`].
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn funnel(&self) -> Result<Arc<Funnel>> {
        self.funnel.get(self.clone().count_funnel()).await
    }

    /// # Errors
    /// Only errors of the store.
    pub async fn sources(&self) -> Result<Arc<Vec<SourceStats>>> {
        self.sources.get(self.clone().count_sources()).await
    }

    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn trends(&self) -> Result<Arc<Trends>> {
        self.trends.get(Trends::load(self.store.clone(), self.chart_start())).await
    }

    /// Of the recoveries in the charts' range.
    ///
    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn recovery_times(&self) -> Result<Arc<RecoveryTimes>> {
        self.recovery_times.get(self.clone().count_recovery_times()).await
    }

    /// Renews what may no longer be used, so that no reader waits for it.
    ///
    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn refresh(&self) -> Result<()> {
        self.rules.refresh(self.count_rules()).await?;
        self.stats.refresh(self.clone().count_stats()).await?;
        self.funnel.refresh(self.clone().count_funnel()).await?;
        self.trends.refresh(Trends::load(self.store.clone(), self.chart_start())).await?;
        self.recovery_times.refresh(self.clone().count_recovery_times()).await?;
        self.sources.refresh(self.clone().count_sources()).await?;
        Ok(())
    }

    /// The first instant of the charts: the beginning of a day in UTC.
    pub(crate) fn chart_start(&self) -> Time {
        let first = (self.clock.now() - TimeDelta::days(CHART_DAYS - 1)).date_naive();
        first.and_time(NaiveTime::MIN).and_utc()
    }

    async fn count_rules(&self) -> Result<CredentialRules> {
        credential_rules(&self.store, &self.keyring, self.needs_token).await
    }

    async fn count_stats(self) -> Result<Stats> {
        let rules = self.credential_rules().await?;
        self.store.stats(&rules, self.unreachable_since()).await
    }

    async fn count_funnel(self) -> Result<Funnel> {
        self.store.funnel(self.clock.now() - TimeDelta::days(FUNNEL_DAYS)).await
    }

    async fn count_sources(self) -> Result<Vec<SourceStats>> {
        self.store.source_stats(self.clock.now()).await
    }

    async fn count_recovery_times(self) -> Result<RecoveryTimes> {
        self.store.recovery_times(self.chart_start()).await
    }

    /// The sources and the email domains whose emails people press far less than usual.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn path_alarms(&self) -> Result<Arc<Vec<PathAlarm>>> {
        self.path_watch.alarms().await
    }
}
