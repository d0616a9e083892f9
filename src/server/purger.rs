//! Deletes old history, one short step after another.

use super::components::App;
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::domain::{Horizons, Retention};
use crate::gateway::Gateway;
use crate::store::{PURGED_TABLES, Place, PurgeDue, PurgedTable, Store, StoreError};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A clock that differs by more from the gateway's may be wrong, and would delete too much.
const MAX_SKEW: TimeDelta = TimeDelta::hours(1);
/// Until the next comparison.
const PUT_OFF: Duration = Duration::from_secs(60 * 60);

pub(super) struct Purger {
    store: Store,
    gateway: Gateway,
    clock: Clock,
    retention: Retention,
    run: Option<Run>,
}

/// A run in progress.
struct Run {
    horizons: Horizons,
    /// What is not done yet, the next one first.
    tables: std::slice::Iter<'static, PurgedTable>,
    place: Option<(PurgedTable, Place)>,
    rows: BTreeMap<&'static str, u64>,
}

/// What to do after a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Step,
    /// Nothing before that.
    Wait(Duration),
}

impl Purger {
    pub(super) fn new(app: &App) -> Self {
        let (store, gateway, clock) = (app.store.clone(), app.gateway.clone(), app.clock.clone());
        Self { store, gateway, clock, retention: app.config.retention.kept(), run: None }
    }

    /// Begins a run when one is due, or does its next step.
    pub(super) async fn step(&mut self) -> Result<Next, StoreError> {
        let now = self.clock.now();
        let Some(run) = &mut self.run else {
            if let Some(skew) = self.gateway.clock_skew().filter(|skew| skew.abs() > MAX_SKEW) {
                tracing::warn!(
                    event = "purge_put_off",
                    seconds = skew.num_seconds(),
                    "old history stays: this machine's clock differs from the gateway's"
                );
                return Ok(Next::Wait(PUT_OFF));
            }
            let horizons = self.retention.horizons(now);
            return Ok(match self.store.begin_purge(&horizons, now).await? {
                PurgeDue::Now => {
                    self.run = Some(Run::new(horizons));
                    Next::Step
                }
                PurgeDue::At(at) => Next::Wait((at - now).to_std().unwrap_or_default()),
            });
        };
        if run.step(&self.store).await? {
            return Ok(Next::Step);
        }
        run.report();
        self.run = None;
        Ok(Next::Step)
    }
}

impl Run {
    fn new(horizons: Horizons) -> Self {
        Self { horizons, tables: PURGED_TABLES.iter(), place: None, rows: BTreeMap::new() }
    }

    /// Returns whether there was anything left to do.
    async fn step(&mut self, store: &Store) -> Result<bool, StoreError> {
        let Some((table, place)) = &self.place else {
            let next = self.tables.next();
            self.place = next.map(|table| (*table, Place::default()));
            return Ok(next.is_some());
        };
        let table = *table;
        let Some(horizon) = table.horizon(&self.horizons) else {
            self.place = None;
            return Ok(true);
        };
        let page = store.purge_page(table, horizon, place).await?;
        self.place = page.next.map(|place| (table, place));
        if page.rows > 0 {
            metrics::count_purged_rows(table.name(), page.rows);
            *self.rows.entry(table.name()).or_default() += page.rows;
        }
        Ok(true)
    }

    fn report(&self) {
        let counts: Vec<_> = self.rows.iter().map(|(table, rows)| format!("{table}={rows}")).collect();
        let rows: u64 = self.rows.values().sum();
        tracing::info!(
            event = "rows_purged",
            rows,
            tables = counts.join(" "),
            "deleted history that is older than [retention] keeps it"
        );
    }
}

impl App {
    /// Deletes old history, if a day has passed since the last time.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn purge(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let mut purger = Purger::new(self);
        while !stop.is_cancelled() && purger.step().await? == Next::Step {}
        Ok(())
    }
}
