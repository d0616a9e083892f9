//! The storm brake: holds that begin and end by the number of recent lapses.

use super::engine::{Tx, query, query_as, query_scalar};
use super::hold_events::{self, StormEnd};
use super::holds::{covers_item, has_item, hold_queued, queue_again};
use super::{Result, Store, millis, recorded_changes};
use crate::base::random;
use crate::domain::{ConnectionId, HoldId, HoldKind, HoldState, SourceLapses, StormPolicy, Time, has_calmed};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// Between two portions of what a storm held.
const DRIP_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What the brake did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrakeReport {
    /// The storms that began, or flared up again.
    pub started: Vec<SourceLapses>,
    /// The storms that calmed down: what they held goes out little by little.
    pub calmed: Vec<Option<ConnectionId>>,
}

/// A storm that has not ended.
struct Storm {
    id: String,
    source: Option<String>,
    state: HoldState,
    since: i64,
    lapsed: i64,
}

impl Store {
    /// Counts the recent lapses, and holds the email about a source, or all, while they are a storm. To be called when a sweep
    /// has applied its last response, before it ends. What an earlier storm has counted does not start another one.
    pub async fn brake(&self, policy: &StormPolicy, now: Time) -> Result<BrakeReport> {
        let from = millis(now - policy.window);
        // Counting takes long in a large fleet, so nothing is locked meanwhile.
        let lapsed = self.recent_lapses(from).await?;
        let total: u64 = lapsed.values().sum();
        let storms = if policy.is_suspicious(total) {
            let (uncounted, total) = self.uncounted(&lapsed, from).await?;
            policy.storms(&self.with_connections(&uncounted).await?, total)
        } else {
            Vec::new()
        };
        let calm = |storm: &Storm| {
            let count =
                storm.source.as_ref().map_or(total, |source| lapsed.get(source).copied().unwrap_or(0));
            storm.state == HoldState::Holding && storm.since <= from && has_calmed(storm.lapsed as u64, count)
        };
        self.write(async |mut tx| {
            let open = open_storms(&mut tx).await?;
            let mut report = BrakeReport::default();
            for storm in &storms {
                if start(&mut tx, storm, &open, policy, now).await? {
                    report.started.push(storm.clone());
                }
            }
            for storm in open.iter().filter(|storm| calm(storm)) {
                // The operator may have ended it just now.
                let calmed = query(
                    "UPDATE holds SET state = $2, drip_at = $3, counted_until = $3
                     WHERE hold_id = $1 AND state = 'holding'",
                )
                .bind(&storm.id)
                .bind(HoldState::Dripping.as_str())
                .bind(millis(now))
                .execute(&mut tx)
                .await?;
                if calmed.rows_affected() > 0 {
                    hold_events::record_end(&mut tx, &HoldId::new(&storm.id), StormEnd::Calmed, now).await?;
                    report.calmed.push(storm.source.as_deref().map(ConnectionId::from));
                }
            }
            recorded_changes::of_storms(&mut tx, now).await?;
            Ok(report)
        })
        .await
    }

    /// The lapses that opened or resumed later than `from`, by source, in lower case.
    async fn recent_lapses(&self, from: i64) -> Result<BTreeMap<String, u64>> {
        let rows: Vec<(String, i64)> = query_as(
            "SELECT lower(connection_id), count(*) FROM lapses WHERE last_opened_at > $1
             GROUP BY lower(connection_id)",
        )
        .bind(from)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|(source, lapsed)| (source, lapsed as u64)).collect())
    }

    /// The lapses that no earlier storm counted, by source, and of all sources together.
    async fn uncounted(
        &self,
        lapsed: &BTreeMap<String, u64>,
        from: i64,
    ) -> Result<(BTreeMap<String, u64>, u64)> {
        let counted: Vec<(Option<String>, i64)> = query_as(
            "SELECT source, max(counted_until) FROM holds WHERE kind = 'storm' AND counted_until > $1
             GROUP BY source",
        )
        .bind(from)
        .fetch_all(&self.reader)
        .await?;
        let (mut by_source, mut total) = (lapsed.clone(), lapsed.values().sum());
        for (source, until) in counted {
            let later = self.recent_lapses(until).await?;
            match source {
                Some(source) => {
                    let lapsed = later.get(&source).copied().unwrap_or(0);
                    by_source.insert(source, lapsed);
                }
                None => total = later.values().sum(),
            }
        }
        Ok((by_source, total))
    }

    async fn with_connections(&self, lapsed: &BTreeMap<String, u64>) -> Result<Vec<SourceLapses>> {
        let source = |(source, connections): (ConnectionId, u64)| SourceLapses {
            lapsed: lapsed.get(source.as_str()).copied().unwrap_or(0),
            source: Some(source),
            connections,
        };
        Ok(self.connections_by_source().await?.into_iter().map(source).collect())
    }

    /// The number of connections of each source, which is in lower case.
    pub(crate) async fn connections_by_source(&self) -> Result<BTreeMap<ConnectionId, u64>> {
        let rows: Vec<(String, i64)> =
            query_as("SELECT lower(connection_id), count(*) FROM connections GROUP BY lower(connection_id)")
                .fetch_all(&self.reader)
                .await?;
        Ok(rows.into_iter().map(|(source, count)| (ConnectionId::new(source), count as u64)).collect())
    }

    /// Queues the next portion of what storms held that have calmed down, and ends those that hold nothing anymore. Returns
    /// the number of notices.
    pub async fn drip(&self, per_minute: u32, now: Time) -> Result<u64> {
        let is_due = "state = 'dripping' AND drip_at <= $1";
        if !self.has_due_hold(is_due, now).await? {
            return Ok(0);
        }
        self.write(async |mut tx| {
            // One instance at a time.
            let due = query(format!("UPDATE holds SET drip_at = $2 WHERE {is_due}"))
                .bind(millis(now))
                .bind(millis(now + DRIP_EVERY))
                .execute(&mut tx)
                .await?;
            if due.rows_affected() == 0 {
                return Ok(0);
            }
            let is_uncovered = has_item(&format!("NOT {}", covers_item(&[HoldState::Holding])));
            let next = format!(
                "n.notice_id IN (SELECT n.notice_id FROM notices n
                    WHERE n.state = 'held' AND n.not_before <= $1 AND {is_uncovered}
                    ORDER BY n.planned_at, n.notice_id LIMIT {per_minute})"
            );
            let released = queue_again(&mut tx, &next, now).await?;
            let rest: Option<i64> = query_scalar(format!(
                "SELECT min(n.not_before) FROM notices n WHERE n.state = 'held' AND {is_uncovered}"
            ))
            .bind(millis(now))
            .fetch_one(&mut tx)
            .await?;
            let change = match rest {
                None => query("UPDATE holds SET state = 'ended', ended_at = $1 WHERE state = 'dripping'")
                    .bind(millis(now)),
                // Patience keeps them from going out yet. The first portion goes out when it ends for the first of them.
                Some(at) if released == 0 => query(
                    "UPDATE holds SET drip_at = min(drip_at, $2) WHERE state = 'dripping' AND drip_at > $1",
                )
                .bind(millis(now))
                .bind(at),
                Some(_) => return Ok(released),
            };
            change.execute(&mut tx).await?;
            Ok(released)
        })
        .await
    }
}

async fn open_storms(tx: &mut Tx) -> Result<Vec<Storm>> {
    let rows: Vec<(String, Option<String>, String, i64, i64)> = query_as(
        "SELECT hold_id, source, state, since, lapsed FROM holds WHERE kind = 'storm' AND state <> 'ended'",
    )
    .fetch_all(&mut *tx)
    .await?;
    let storm = |(id, source, state, since, lapsed): (String, Option<String>, String, i64, i64)| Storm {
        id,
        source,
        state: state.parse().unwrap_or(HoldState::Holding),
        since,
        lapsed,
    };
    Ok(rows.into_iter().map(storm).collect())
}

/// Returns whether the operator has to hear of it: not if the storm goes on.
async fn start(
    tx: &mut Tx,
    storm: &SourceLapses,
    open: &[Storm],
    policy: &StormPolicy,
    now: Time,
) -> Result<bool> {
    let source = storm.source.as_ref().map(|source| source.as_str().to_owned());
    let known = open.iter().find(|open| open.source == source);
    let (lapsed, connections) = (storm.lapsed as i64, storm.connections as i64);
    let hold = match known {
        Some(known) if known.state == HoldState::Holding => {
            // It has calmed down when half as many lapse as at its worst.
            query("UPDATE holds SET lapsed = $2, connections = $3 WHERE hold_id = $1 AND lapsed < $2")
                .bind(&known.id)
                .bind(lapsed)
                .bind(connections)
                .execute(&mut *tx)
                .await?;
            return Ok(false);
        }
        Some(known) => {
            let flared_up = query(
                "UPDATE holds SET state = 'holding', since = $2, lapsed = $3, connections = $4, drip_at = NULL
                 WHERE hold_id = $1 AND state = 'dripping'",
            )
            .bind(&known.id)
            .bind(millis(now))
            .bind(lapsed)
            .bind(connections)
            .execute(&mut *tx)
            .await?;
            // It may have ended just now.
            if flared_up.rows_affected() == 0 {
                return Ok(false);
            }
            known.id.clone()
        }
        // Another instance may have added it just now.
        None => {
            let window = humantime::format_duration(policy.window.to_std().unwrap_or_default());
            let id = random::id(now);
            let reason = format!("{lapsed} of {connections} connections lapsed within {window}");
            let added = query(
                "INSERT INTO holds (hold_id, kind, state, source, reason, since, lapsed, connections)
                 VALUES ($1, $2, 'holding', $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(&id)
            .bind(HoldKind::Storm.as_str())
            .bind(source)
            .bind(reason)
            .bind(millis(now))
            .bind(lapsed)
            .bind(connections)
            .execute(&mut *tx)
            .await?;
            if added.rows_affected() == 0 {
                return Ok(false);
            }
            id
        }
    };
    hold_events::record_start(tx, &hold, now).await?;
    hold_queued(tx, HoldKind::Storm, now).await?;
    Ok(true)
}
