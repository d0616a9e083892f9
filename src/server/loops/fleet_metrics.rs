//! Publishes the state of the fleet as metrics.
//!
//! The counts of the whole fleet are those that the API and the dashboard use, too: costly ones are computed seldom. The
//! others are read from the head of an index.

use crate::base::config::Schedule;
use crate::base::telemetry::MetricsPage;
use crate::base::telemetry::metrics::{self, FleetGauges};
use crate::domain::Time;
use crate::server::current::Current;
use crate::server::runner::{Loop, Progress};
use crate::store::{Funnel, Stats, SweepRecord};
use chrono::TimeDelta;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(15);

pub(super) struct FleetMetricsLoop {
    current: Current,
    page: MetricsPage,
}

impl FleetMetricsLoop {
    pub(super) fn new(current: &Current, page: MetricsPage) -> Self {
        metrics::set_build(current.app().clock.now());
        Self { current: current.clone(), page }
    }
}

impl Loop for FleetMetricsLoop {
    const NAME: &'static str = "fleet_metrics";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        self.page.merge_histograms();
        let app = self.current.app();
        let (store, clock, config, fleet) = (&app.store, &app.clock, &app.config, &app.fleet);
        let oldest = store.oldest_due_at().await?;
        let now = clock.now();
        metrics::set_queue_age(
            oldest.map_or(TimeDelta::zero(), |due_at| (now - due_at).max(TimeDelta::zero())),
        );
        metrics::set_sweep_lag(lag(&config.sweep.schedule, store.last_sweep().await?.as_ref(), now));
        metrics::set_holds(&store.active_hold_kinds().await?);
        metrics::set_events(&store.count_undelivered_events().await?);
        metrics::set_database_size(store.size().await?);
        metrics::set_database_log_size(store.log_size());
        metrics::set_credentials_under_old_keys(*fleet.under_old_keys().await?);
        fleet.refresh().await?;
        metrics::set_fleet(&gauges(&*fleet.stats().await?, *fleet.funnel().await?));
        Ok(Progress::Pause(INTERVAL))
    }
}

/// The age of the first tick of the schedule that no sweep has followed. A running sweep covers all ticks until its end.
fn lag(schedule: &Schedule, last: Option<&SweepRecord>, now: Time) -> TimeDelta {
    let ended_at = last.and_then(|sweep| sweep.finished_at);
    let missed = ended_at.and_then(|ended_at| schedule.next_due(ended_at));
    missed.map_or(TimeDelta::zero(), |tick| (now - tick).max(TimeDelta::zero()))
}

fn gauges(stats: &Stats, funnel: Funnel) -> FleetGauges {
    FleetGauges {
        active: stats.members.saturating_sub(stats.paused),
        paused: stats.paused,
        unclear: stats.unclear.values().sum(),
        suppressed: stats.suppressed,
        lapses_open: stats.lapses_open,
        credentials: stats.credentials_by_state(),
        connections: stats.connections.clone(),
        notices: stats.notices.clone(),
        funnel: [
            ("lapsed", funnel.lapsed),
            ("noticed", funnel.noticed),
            ("opened", funnel.opened),
            ("redeemed", funnel.redeemed),
            ("recovered", funnel.recovered),
            ("recovered_unnoticed", funnel.recovered_unnoticed),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_lag_from_the_first_tick_that_none_has_followed() {
        let schedule = "0 0 * * * *".parse::<Schedule>().unwrap();
        let time = |text: &str| text.parse::<Time>().unwrap();
        let sweep = |finished_at: Option<&str>| SweepRecord {
            started_at: time("2026-03-02T09:00:00Z"),
            finished_at: finished_at.map(time),
            members: 1,
            unclear: 0,
            skipped: 0,
            transitions: 0,
            complete: true,
            ended_early_because: None,
        };
        let now = time("2026-03-02T11:00:30Z");
        for (sentence, last, seconds) in [
            ("there was no sweep yet", None, 0),
            ("a sweep runs", Some(sweep(None)), 0),
            ("the last tick was followed", Some(sweep(Some("2026-03-02T11:00:10Z"))), 0),
            ("one tick was missed", Some(sweep(Some("2026-03-02T10:10:00Z"))), 30),
            ("two ticks were missed", Some(sweep(Some("2026-03-02T09:10:00Z"))), 3_630),
        ] {
            assert_eq!(lag(&schedule, last.as_ref(), now).num_seconds(), seconds, "{sentence}");
        }
    }
}
