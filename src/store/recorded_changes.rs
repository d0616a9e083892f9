//! `lapse_changes`, `member_changes`, `storm_changes`, `policy_changes`, `planner_pauses`: how the facts that the planner reads changed. They are
//! recorded in the unit of work that changes them, so that `replay` can read them as they were at any time.

use super::connections::MISMATCHED;
use super::convert::{json_list, millis};
use super::engine::{Tx, Value, query, query_scalar};
use super::error::Result;
use super::sqlite::Store;
use super::suppressed::SUPPRESSED;
use crate::domain::{AddressHash, LapseId, Time};
use chrono::TimeDelta;
use serde::Serialize;

/// A shorter time without planning is none.
pub(crate) const PAUSE: TimeDelta = TimeDelta::minutes(1);

/// Records what lapses and their members are from now on. `which`: a condition on the lapse `l` with the parameter `$1`.
async fn record(tx: &mut Tx, which: &str, value: String, now: Time) -> Result<()> {
    let mismatched = MISMATCHED.replace("status", "k.status").replace("sync_errors", "k.sync_errors");
    query(format!(
        "INSERT INTO lapse_changes (lapse_id, change, member_id, at, is_open, outcome, status, is_missing,
            is_person_mismatch, suspected_at, opened_at, last_opened_at, snoozed_until)
         SELECT n.lapse_id, n.last + 1, n.member_id, $2, n.is_open, n.outcome, n.status, n.is_missing,
            n.is_person_mismatch, n.suspected_at, n.opened_at, n.last_opened_at, n.snoozed_until
         FROM (SELECT l.lapse_id, l.member_id, l.state = 'open' AS is_open, l.outcome, k.status,
                k.missing_since IS NOT NULL AS is_missing, {mismatched} AS is_person_mismatch, l.suspected_at,
                l.opened_at, l.last_opened_at, l.snoozed_until,
                coalesce((SELECT max(c.change) FROM lapse_changes c WHERE c.lapse_id = l.lapse_id), 0) AS last
               FROM lapses l
               JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
               WHERE l.opened_at IS NOT NULL AND l.last_opened_at IS NOT NULL AND {which}) AS n
         LEFT JOIN lapse_changes c ON c.lapse_id = n.lapse_id AND c.change = n.last
         WHERE (n.is_open OR coalesce(c.is_open, FALSE)) AND (c.lapse_id IS NULL
            OR c.is_open IS DISTINCT FROM n.is_open OR c.outcome IS DISTINCT FROM n.outcome
            OR c.status IS DISTINCT FROM n.status OR c.is_missing IS DISTINCT FROM n.is_missing
            OR c.is_person_mismatch IS DISTINCT FROM n.is_person_mismatch
            OR c.suspected_at IS DISTINCT FROM n.suspected_at OR c.opened_at IS DISTINCT FROM n.opened_at
            OR c.last_opened_at IS DISTINCT FROM n.last_opened_at
            OR c.snoozed_until IS DISTINCT FROM n.snoozed_until)"
    ))
    .bind(value.clone())
    .bind(millis(now))
    .execute(&mut *tx)
    .await?;
    record_members(
        tx,
        &format!("m.member_id IN (SELECT l.member_id FROM lapses l WHERE {which})"),
        value,
        now,
    )
    .await
}

/// Records what members are from now on, as far as they have had a lapse. `which`: a condition on the member `m`.
async fn record_members(tx: &mut Tx, which: &str, value: impl Into<Value>, now: Time) -> Result<()> {
    query(format!(
        "INSERT INTO member_changes (member_id, change, at, address_hash, time_zone, is_paused, is_suppressed)
         SELECT n.member_id, n.last + 1, $2, n.address_hash, n.time_zone, n.is_paused, n.is_suppressed
         FROM (SELECT m.member_id, m.address_hash, m.time_zone,
                coalesce(m.paused_at, m.removed_at) IS NOT NULL AS is_paused, {SUPPRESSED} AS is_suppressed,
                coalesce((SELECT max(c.change) FROM member_changes c WHERE c.member_id = m.member_id), 0) AS last
               FROM members m
               WHERE {which} AND EXISTS (SELECT 1 FROM lapse_changes c WHERE c.member_id = m.member_id)) AS n
         LEFT JOIN member_changes c ON c.member_id = n.member_id AND c.change = n.last
         WHERE c.member_id IS NULL OR c.address_hash IS DISTINCT FROM n.address_hash
            OR c.time_zone IS DISTINCT FROM n.time_zone OR c.is_paused IS DISTINCT FROM n.is_paused
            OR c.is_suppressed IS DISTINCT FROM n.is_suppressed"
    ))
    .bind(value)
    .bind(millis(now))
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn of_lapses<T: Serialize>(tx: &mut Tx, lapses: &[T], now: Time) -> Result<()> {
    if lapses.is_empty() {
        return Ok(());
    }
    record(tx, "l.lapse_id IN (SELECT value FROM json_each($1))", json_list(lapses)?, now).await
}

pub(super) async fn of_lapse(tx: &mut Tx, lapse: &LapseId, now: Time) -> Result<()> {
    of_lapses(tx, &[lapse], now).await
}

/// Also their lapses. `members`: a JSON list.
pub(super) async fn of_members(tx: &mut Tx, members: &str, now: Time) -> Result<()> {
    record(tx, "l.member_id IN (SELECT value FROM json_each($1))", members.to_owned(), now).await
}

/// What an import can have changed.
pub(super) async fn of_imported(tx: &mut Tx, members: &[String], now: Time) -> Result<()> {
    let members = json_list(members)?;
    record_members(tx, "m.member_id IN (SELECT value FROM json_each($1))", members, now).await
}

/// Whether email to the address is suppressed.
pub(super) async fn of_address(tx: &mut Tx, address: AddressHash, now: Time) -> Result<()> {
    record_members(tx, "m.address_hash = $1", &address.0[..], now).await
}

/// Whether the storms that have not ended hold, or have calmed down. Another instance may have recorded it just now.
pub(super) async fn of_storms(tx: &mut Tx, now: Time) -> Result<()> {
    query(
        "INSERT INTO storm_changes (hold_id, change, at, state)
         SELECT n.hold_id, n.last + 1, $1, n.state
         FROM (SELECT h.hold_id, h.state,
                coalesce((SELECT max(c.change) FROM storm_changes c WHERE c.hold_id = h.hold_id), 0) AS last
               FROM holds h WHERE h.kind = 'storm' AND h.state <> 'ended') AS n
         LEFT JOIN storm_changes c ON c.hold_id = n.hold_id AND c.change = n.last
         WHERE c.state IS DISTINCT FROM n.state ON CONFLICT DO NOTHING",
    )
    .bind(millis(now))
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    /// Records that nothing was planned before `now`. `since`: the last time that anything was; `None`: this process has not
    /// planned yet.
    pub(crate) async fn record_planner_pause(&self, since: Option<Time>, now: Time) -> Result<()> {
        let latest = millis(now - PAUSE);
        let since = match since {
            Some(since) => Some(millis(since)),
            None => {
                let traces =
                    "SELECT max(at) FROM (SELECT max(finished_at) AS at FROM sweeps WHERE finished_at <= $1
                     UNION ALL SELECT max(last_at) FROM decisions WHERE last_at <= $1) AS traces";
                query_scalar(traces).bind(latest).fetch_one(&self.reader).await?
            }
        };
        let Some(since) = since.filter(|since| *since <= latest) else { return Ok(()) };
        let insert = "INSERT INTO planner_pauses (until, since) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.execute(query(insert).bind(millis(now)).bind(since)).await?;
        Ok(())
    }

    /// Records the policy in force, as JSON, unless it is the one that was in force.
    pub(crate) async fn record_policy(&self, policy: &str, now: Time) -> Result<()> {
        self.write(async |mut tx| {
            let latest = "SELECT policy FROM policy_changes ORDER BY change DESC LIMIT 1";
            let known: Option<String> = query_scalar(latest).fetch_optional(&mut tx).await?;
            if known.as_deref() != Some(policy) {
                query(
                    "INSERT INTO policy_changes (change, at, policy)
                     SELECT coalesce(max(change), 0) + 1, $1, $2 FROM policy_changes WHERE TRUE ON CONFLICT DO NOTHING",
                )
                .bind(millis(now))
                .bind(policy)
                .execute(&mut tx)
                .await?;
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn the_policy_in_force_holds_since_it_was_first_recorded() {
        let (store, _folder) = new_store().await;
        assert_eq!(store.policy_since().await.unwrap(), None);
        for (hour, policy, since) in [(1, "a", 1), (2, "a", 1), (3, "b", 3), (4, "a", 4)] {
            let at = |hour| Time::UNIX_EPOCH + TimeDelta::hours(hour);
            store.record_policy(policy, at(hour)).await.unwrap();
            assert_eq!(store.policy_since().await.unwrap(), Some(at(since)));
        }
    }

    #[tokio::test]
    async fn after_a_restart_the_planner_paused_since_the_last_trace_unless_that_is_fresh() {
        let at = |seconds| Time::UNIX_EPOCH + TimeDelta::seconds(seconds);
        for (last, pause) in [(60, Some(60)), (41, None)] {
            let (store, _folder) = new_store().await;
            let sweep = "INSERT INTO sweeps (sweep_id, started_at, finished_at, members, unclear)
                 VALUES ('s', $1, $1, 0, 0)";
            store.execute(query(sweep).bind(millis(at(100 - last)))).await.unwrap();
            store.record_planner_pause(None, at(100)).await.unwrap();
            let seconds = "SELECT (until - since) / 1000 FROM planner_pauses";
            let pauses: Vec<i64> = query_scalar(seconds).fetch_all(&store.reader).await.unwrap();
            assert_eq!(pauses, Vec::from_iter(pause), "{last}");
        }
    }
}
