//! Data sources: how many of their connections break, how many recover, and how long both take.

use super::engine::query_as;
use super::{Result, Store, millis};
use crate::domain::{ConnectionId, Time};
use chrono::TimeDelta;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The lapses, recoveries, and breaks of this time count.
const WINDOW: TimeDelta = TimeDelta::days(30);

/// A data source. What happened to members who have been removed since counts, until they are erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStats {
    /// In lower case.
    pub source: ConnectionId,
    /// The name that most connections have. Of several, the latest.
    pub name: String,
    /// Of enrolled members, without those that were deleted.
    pub connections: u64,
    pub open_lapses: u64,
    /// Lapses that opened in the window. One that resumes does not open again.
    pub lapsed: u64,
    /// Lapses that recovered in the window, whenever they opened. One that resumes has not recovered.
    pub recovered: u64,
    /// From the opening of a lapse to its recovery: the median of those that recovered in the window.
    pub recovery_median: Option<TimeDelta>,
    /// From CONNECTED to the first observation of a break: the median of the breaks in the window.
    pub connected_median: Option<TimeDelta>,
}

impl SourceStats {
    fn new(source: ConnectionId) -> Self {
        Self {
            source,
            name: String::new(),
            connections: 0,
            open_lapses: 0,
            lapsed: 0,
            recovered: 0,
            recovery_median: None,
            connected_median: None,
        }
    }

    /// `None` without connections. More than 1 when connections broke more than once, or are gone.
    pub fn lapse_rate(&self) -> Option<f64> {
        (self.connections > 0).then(|| self.lapsed as f64 / self.connections as f64)
    }

    /// `None` when nothing lapsed. More than 1 when earlier lapses recovered, too.
    pub fn recovery_rate(&self) -> Option<f64> {
        (self.lapsed > 0).then(|| self.recovered as f64 / self.lapsed as f64)
    }

    fn is_empty(&self) -> bool {
        let Self { connections, open_lapses, lapsed, recovered, connected_median, .. } = self;
        connections + open_lapses + lapsed + recovered == 0 && connected_median.is_none()
    }
}

const CONNECTIONS: &str = "
    WITH named AS (
        SELECT lower(k.connection_id) AS source, k.name, max(k.changed_at) AS changed_at,
            count(*) FILTER (WHERE m.removed_at IS NULL AND k.status IS DISTINCT FROM 'DELETED') AS connections
        FROM connections k JOIN members m ON m.member_id = k.member_id GROUP BY lower(k.connection_id), k.name),
    ranked AS (
        SELECT source, name,
            row_number() OVER (PARTITION BY source ORDER BY name = '', connections DESC, changed_at DESC, name) AS place,
            sum(connections) OVER (PARTITION BY source) AS total
        FROM named)
    SELECT source, name, CAST(total AS BIGINT) FROM ranked WHERE place = 1";

/// The duration of each recovery in the window; 0 if the clock was set back meanwhile. A lapse that is suspected to resume keeps
/// its outcome until that is confirmed.
const RECOVERIES: &str = "durations AS (
        SELECT lower(connection_id) AS source, max(closed_at - opened_at, 0) AS duration FROM lapses
        WHERE outcome = 'recovered' AND closed_at >= $1 AND opened_at IS NOT NULL)";

/// A stretch of a connection's transitions ends with a status in which it does not work until somebody acts. The duration
/// is that from the stretch's first CONNECTED to the break at its end. So an ERROR in between changes nothing, nor does a
/// break that is not confirmed. What is broken on purpose ends a stretch, but is no break.
///
/// A connection that was CONNECTED when its member was first observed is left out: it may have been so for long.
///
/// The CTEs and the CROSS JOIN let SQLite find the broken connections by time first, and then read only their transitions.
const BREAKS: &str = "recent AS MATERIALIZED (
        SELECT member_id, connection_id FROM transitions
        WHERE observed_at >= $1 AND to_status IN ('EXPIRED', 'DISCONNECTED')),
    broken AS MATERIALIZED (SELECT DISTINCT member_id, connection_id FROM recent),
    followed AS (
        SELECT t.*, lead(t.reason) OVER
            (PARTITION BY t.member_id, t.connection_id ORDER BY t.transition_id) AS next_reason
        FROM broken b CROSS JOIN transitions t
        WHERE t.member_id = b.member_id AND t.connection_id = b.connection_id
          AND t.reason NOT IN ('unknown_status', 'unconfirmed')),
    marked AS (
        SELECT f.*, CASE WHEN to_status IN ('EXPIRED', 'DISCONNECTED', 'ACCESS_ENDED', 'DELETED')
            AND next_reason IS DISTINCT FROM 'suspicion_cleared' THEN 1 ELSE 0 END AS ends
        FROM followed f),
    numbered AS (
        SELECT m.*, sum(ends) OVER (PARTITION BY member_id, connection_id ORDER BY transition_id) - ends AS stretch
        FROM marked m),
    stretches AS (
        SELECT member_id, connection_id, min(observed_at) FILTER (WHERE to_status = 'CONNECTED') AS connected_at,
            min(observed_at) FILTER (WHERE to_status = 'CONNECTED' AND from_status IS NULL) AS first_seen_at,
            max(observed_at) FILTER (WHERE ends = 1 AND reason IN ('suspected', 'resumed', 'confirmed')) AS broke_at
        FROM numbered GROUP BY member_id, connection_id, stretch),
    durations AS (
        SELECT lower(s.connection_id) AS source, s.broke_at - s.connected_at AS duration FROM stretches s
        WHERE s.broke_at >= $1 AND s.connected_at <= s.broke_at
          AND (s.first_seen_at IS NULL OR EXISTS
            (SELECT 1 FROM transitions t WHERE t.member_id = s.member_id AND t.observed_at < s.first_seen_at))
          AND NOT EXISTS (SELECT 1 FROM lapses l WHERE l.member_id = s.member_id
            AND l.connection_id = s.connection_id AND l.state = 'suspected' AND l.suspected_at <= s.broke_at))";

/// The number of the durations of each source, and their median: the middle one, or the mean of the two in the middle.
fn medians(durations: &str) -> String {
    format!(
        "WITH {durations},
    ranked AS (
        SELECT source, duration, row_number() OVER (PARTITION BY source ORDER BY duration) AS place,
            count(*) OVER (PARTITION BY source) AS total
        FROM durations)
    SELECT source, total, (min(duration) + max(duration)) / 2 FROM ranked
    WHERE place IN ((total + 1) / 2, (total + 2) / 2) GROUP BY source, total"
    )
}

impl Store {
    /// The sources that have connections, or had them in the window. Those with the most open lapses come first.
    pub async fn source_stats(&self, now: Time) -> Result<Vec<SourceStats>> {
        let since = millis(now - WINDOW);
        let mut sources = Sources::default();
        let connections: Vec<(String, String, i64)> = query_as(CONNECTIONS).fetch_all(&self.reader).await?;
        for (source, name, connections) in connections {
            let stats = sources.of(source);
            (stats.name, stats.connections) = (name, connections.unsigned_abs());
        }
        let open: Vec<(String, i64)> = query_as(
            "SELECT lower(connection_id) AS source, count(*) FROM lapses WHERE state = 'open' GROUP BY 1",
        )
        .fetch_all(&self.reader)
        .await?;
        for (source, lapses) in open {
            sources.of(source).open_lapses = lapses.unsigned_abs();
        }
        let opened: Vec<(String, i64)> = query_as(
            "SELECT lower(connection_id) AS source, count(*) FROM lapses WHERE opened_at >= $1 GROUP BY 1",
        )
        .bind(since)
        .fetch_all(&self.reader)
        .await?;
        for (source, lapses) in opened {
            sources.of(source).lapsed = lapses.unsigned_abs();
        }
        for (source, recovered, median) in self.medians(RECOVERIES, since).await? {
            let stats = sources.of(source);
            (stats.recovered, stats.recovery_median) = (recovered, Some(median));
        }
        for (source, _, median) in self.medians(BREAKS, since).await? {
            sources.of(source).connected_median = Some(median);
        }
        Ok(sources.into_sorted())
    }

    async fn medians(&self, durations: &str, since: i64) -> Result<Vec<(String, u64, TimeDelta)>> {
        let rows: Vec<(String, i64, i64)> =
            query_as(medians(durations)).bind(since).fetch_all(&self.reader).await?;
        let median = |(source, total, median): (String, i64, i64)| {
            (source, total.unsigned_abs(), TimeDelta::milliseconds(median))
        };
        Ok(rows.into_iter().map(median).collect())
    }
}

#[derive(Default)]
struct Sources(BTreeMap<String, SourceStats>);

impl Sources {
    fn of(&mut self, source: String) -> &mut SourceStats {
        let id = ConnectionId::new(source.clone());
        self.0.entry(source).or_insert_with(|| SourceStats::new(id))
    }

    fn into_sorted(self) -> Vec<SourceStats> {
        let mut sources: Vec<_> = self.0.into_values().filter(|stats| !stats.is_empty()).collect();
        sources.sort_by_cached_key(|stats| {
            (Reverse(stats.open_lapses), stats.name.to_lowercase(), stats.source.as_str().to_owned())
        });
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_listed_with_any_connection_lapse_recovery_or_break() {
        let stats = |[connections, open_lapses, lapsed, recovered]: [u64; 4]| SourceStats {
            connections,
            open_lapses,
            lapsed,
            recovered,
            ..SourceStats::new("epic".into())
        };
        let is_listed = |stats| !Sources([("epic".to_owned(), stats)].into()).into_sorted().is_empty();
        assert!(!is_listed(stats([0; 4])));
        assert!(is_listed(SourceStats { connected_median: Some(WINDOW), ..stats([0; 4]) }));
        let some = [
            [1, 0, 0, 0],
            [0, 1, 0, 0],
            [0, 0, 1, 0],
            [0, 0, 0, 1],
            [1, 1, 0, 0],
            [0, 1, 1, 0],
            [0, 0, 1, 1],
        ];
        for some in some {
            assert!(is_listed(stats(some)), "{some:?}");
        }
    }
}
