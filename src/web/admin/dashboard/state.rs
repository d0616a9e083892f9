//! What the pages are made of.

use super::kept::Kept;
use crate::base::cached::Cached;
use crate::domain::Time;
use crate::store::{ChartMark, DayCount, Funnel, RecoveryTimes, Result, SourceStats, Stats, Store};
use crate::web::admin::access::Access;
use crate::web::admin::health::HealthState;
use crate::web::admin::state::AdminState;
use chrono::TimeDelta;
use std::ops::Deref;
use std::sync::Arc;

/// The range of the charts.
pub(super) const CHART_DAYS: i64 = 30;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Dashboard(Arc<Inner>);

pub(super) struct Inner {
    pub(super) admin: AdminState,
    pub(super) health: HealthState,
    trends: (Cached<Trends>, Kept<Trends>),
    times: (Cached<RecoveryTimes>, Kept<RecoveryTimes>),
    stats: Kept<Stats>,
    funnel: Kept<Funnel>,
    sources: Kept<Vec<SourceStats>>,
}

/// What happened on each day of the charts' range.
#[derive(Debug)]
pub(super) struct Trends {
    pub(super) opened: Vec<DayCount>,
    pub(super) recovered: Vec<DayCount>,
    pub(super) sent: Vec<DayCount>,
    pub(super) marks: Vec<ChartMark>,
}

impl Trends {
    async fn load(store: &Store, since: Time) -> Result<Self> {
        Ok(Self {
            opened: store.lapses_by_day(since).await?,
            recovered: store.recoveries_by_day(since).await?,
            sent: store.emails_by_day(since).await?,
            marks: store.chart_marks(since).await?,
        })
    }
}

impl Dashboard {
    pub(super) fn new(admin: AdminState, health: HealthState) -> Self {
        let clock = admin.clock.clone();
        Self(Arc::new(Inner {
            admin,
            health,
            trends: (Cached::default(), Kept::new(&clock)),
            times: (Cached::default(), Kept::new(&clock)),
            stats: Kept::new(&clock),
            funnel: Kept::new(&clock),
            sources: Kept::new(&clock),
        }))
    }

    pub(super) fn now(&self) -> Time {
        self.admin.clock.now()
    }

    /// The first instant of the charts: the beginning of a day in UTC.
    pub(super) fn chart_start(&self) -> Time {
        let first = (self.now() - TimeDelta::days(CHART_DAYS - 1)).date_naive();
        first.and_time(chrono::NaiveTime::MIN).and_utc()
    }

    /// A store whose writes name the holder of the token in the audit.
    pub(super) fn store_of(&self, access: &Access) -> Store {
        self.admin.store.acting_as(access.actor())
    }

    pub(super) async fn stats(&self) -> Result<Arc<Stats>> {
        let fleet = self.admin.fleet.clone();
        self.stats.get(async move { fleet.stats().await }).await
    }

    pub(super) async fn funnel(&self) -> Result<Arc<Funnel>> {
        let fleet = self.admin.fleet.clone();
        self.funnel.get(async move { fleet.funnel().await }).await
    }

    pub(super) async fn sources(&self) -> Result<Arc<Vec<SourceStats>>> {
        let fleet = self.admin.fleet.clone();
        self.sources.get(async move { fleet.sources().await }).await
    }

    pub(super) async fn trends(&self) -> Result<Arc<Trends>> {
        let (store, since) = (self.admin.store.clone(), self.chart_start());
        let (cached, kept) = &self.trends;
        let cached = cached.clone();
        kept.get(async move { cached.get(async || Trends::load(&store, since).await).await }).await
    }

    /// Of the recoveries in the charts' range.
    pub(super) async fn recovery_times(&self) -> Result<Arc<RecoveryTimes>> {
        let (store, since) = (self.admin.store.clone(), self.chart_start());
        let (cached, kept) = &self.times;
        let cached = cached.clone();
        kept.get(async move { cached.get(async || store.recovery_times(since).await).await }).await
    }
}

impl Deref for Dashboard {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
