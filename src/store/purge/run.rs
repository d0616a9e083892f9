//! When the next run is due.

use crate::domain::{Horizons, Time};
use crate::store::engine::{query, query_scalar};
use crate::store::{Result, Store, millis, time};
use chrono::TimeDelta;

/// Between two runs.
const INTERVAL: TimeDelta = TimeDelta::hours(24);
/// After a longer pause, the clock may be wrong. A run that it would begin is put off.
const TRUSTED: TimeDelta = TimeDelta::days(8);
/// Emails of this time count for the limits of an address.
const MONTH: TimeDelta = TimeDelta::days(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PurgeDue {
    /// A run has begun, and is this process's.
    Now,
    /// The next run.
    At(Time),
}

impl Store {
    /// Begins a run, if one is due. Of several instances, one gets it.
    pub(crate) async fn begin_purge(&self, horizons: &Horizons, now: Time) -> Result<PurgeDue> {
        let seen = query_scalar::<i64>("SELECT seen_at FROM purge").fetch_optional(&self.reader).await?;
        let Some(seen) = seen.map(time) else {
            let insert = query("INSERT INTO purge (id, seen_at) VALUES (1, $1) ON CONFLICT (id) DO NOTHING");
            self.execute(insert.bind(millis(now))).await?;
            return Ok(PurgeDue::At(now + INTERVAL));
        };
        let pause = now - seen;
        if (TimeDelta::zero()..INTERVAL).contains(&pause) {
            return Ok(PurgeDue::At(seen + INTERVAL));
        }
        let is_trusted = (INTERVAL..=TRUSTED).contains(&pause);
        // What the next run deletes is missing in a replay from now on.
        let replayable = horizons.notices.max(horizons.decisions).filter(|_| is_trusted);
        let begun = self
            .execute(
                query(
                    "UPDATE purge SET seen_at = $1,
                        replayable_since = CASE WHEN replayable_since >= $2 THEN replayable_since
                            ELSE coalesce($2, replayable_since) END
                     WHERE seen_at = $3",
                )
                .bind(millis(now))
                .bind(replayable.map(|horizon| millis(horizon + MONTH)))
                .bind(millis(seen)),
            )
            .await?;
        Ok(if is_trusted && begun > 0 { PurgeDue::Now } else { PurgeDue::At(now + INTERVAL) })
    }

    /// Since when a replay finds everything that was recorded. `None`: nothing has been deleted.
    pub(crate) async fn replayable_since(&self) -> Result<Option<Time>> {
        let since = query_scalar::<Option<i64>>("SELECT replayable_since FROM purge");
        Ok(since.fetch_optional(&self.reader).await?.flatten().map(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::new_store;

    const KEPT: Horizons = Horizons { transitions: None, notices: None, decisions: None, audit: None };

    #[tokio::test]
    async fn one_instance_runs_each_day_and_none_while_the_clock_may_be_wrong() {
        let (store, _folder) = new_store().await;
        let start = "2026-03-02T09:00:00Z".parse::<Time>().unwrap();
        let hour = |hours| start + TimeDelta::hours(hours);
        for (at, expected) in [
            // A new database, or one of an earlier version.
            (0, PurgeDue::At(hour(24))),
            (23, PurgeDue::At(hour(24))),
            (24, PurgeDue::Now),
            // Another instance.
            (24, PurgeDue::At(hour(48))),
            (24 * 9, PurgeDue::Now),
            (24 * 100, PurgeDue::At(hour(24 * 101))),
            // The clock was set back.
            (24 * 10, PurgeDue::At(hour(24 * 11))),
            (24 * 11, PurgeDue::Now),
        ] {
            assert_eq!(store.begin_purge(&KEPT, hour(at)).await.unwrap(), expected, "{at}");
        }
        assert_eq!(store.replayable_since().await.unwrap(), None, "nothing is ever deleted");
    }

    #[tokio::test]
    async fn what_was_deleted_stays_unknown_when_more_is_kept_later() {
        let (store, _folder) = new_store().await;
        let start = "2026-03-02T09:00:00Z".parse::<Time>().unwrap();
        let days = |days| start + TimeDelta::days(days);
        store.begin_purge(&KEPT, start).await.unwrap();
        for (day, horizon, since) in
            [(1, Some(-60), Some(-30)), (2, Some(-90), Some(-30)), (3, None, Some(-30))]
        {
            let horizons = Horizons { notices: horizon.map(days), ..KEPT };
            assert_eq!(store.begin_purge(&horizons, days(day)).await.unwrap(), PurgeDue::Now);
            assert_eq!(store.replayable_since().await.unwrap(), since.map(days), "{day}");
        }
        let horizons = Horizons { notices: Some(days(40)), ..KEPT };
        assert_ne!(store.begin_purge(&horizons, days(100)).await.unwrap(), PurgeDue::Now);
        assert_eq!(store.replayable_since().await.unwrap(), Some(days(-30)), "nothing is deleted yet");
    }

    #[tokio::test]
    async fn of_instances_that_find_a_run_due_at_once_one_runs() {
        let (store, _folder) = new_store().await;
        let start = "2026-03-02T09:00:00Z".parse::<Time>().unwrap();
        store.begin_purge(&KEPT, start).await.unwrap();
        let begin = || store.begin_purge(&KEPT, start + INTERVAL);
        let (one, two, three) = tokio::join!(begin(), begin(), begin());
        let begun = [one, two, three].map(|due| due.unwrap() == PurgeDue::Now);
        assert_eq!(begun.iter().filter(|begun| **begun).count(), 1);
    }
}
