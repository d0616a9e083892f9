//! The queue of the outbox: claims, the results of attempts, retries, and what becomes of old events.

use super::audit;
use super::convert::{count, json_list, millis, time};
use super::engine::{Tx, per_engine, query, query_as, query_scalar};
use super::error::{Result, StoreError};
use super::events::{EventClaim, RETRY_FOR, lock};
use super::holds::all_email_is_held;
use super::sqlite::Store;
use crate::domain::{AuditAction, AuditEntry, EventId, EventState, EventType, Time};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// Delivered events are kept this long.
const KEEP: TimeDelta = TimeDelta::days(30);
/// Rows per unit of work.
const BATCH: u32 = 500;

/// How an attempt at an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventResult {
    Delivered,
    Retry { at: Time, error: String },
    Failed { error: String },
}

/// SQL: the events that are due at `$1`. A hold on all email stops those that ask the receiver to notify a member.
fn due_events() -> String {
    format!(
        "SELECT sequence FROM events WHERE state = 'queued' AND next_at <= $1
           AND (type <> '{}' OR NOT {}) ORDER BY next_at, sequence",
        EventType::NoticeDue.as_str(),
        all_email_is_held()
    )
}

impl Store {
    /// Claims the events that are due first, until `leased_until`: of each member, the first that is not delivered.
    pub async fn claim_events(&self, now: Time, leased_until: Time, limit: usize) -> Result<Vec<EventClaim>> {
        let due = due_events();
        // Usually none is due. A read is enough to know that.
        let any = query(format!("{due} LIMIT 1")).bind(millis(now)).fetch_optional(&self.reader).await?;
        if any.is_none() {
            return Ok(Vec::new());
        }
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let claimed = self
            .write(async |mut tx| {
                if !self.holder.may_lease(&mut tx).await? {
                    return Ok(Vec::new());
                }
                let choose = per_engine(
                    format!("{due} LIMIT $2"),
                    format!("{due} LIMIT $2 FOR UPDATE SKIP LOCKED"),
                );
                let due = choose.bind(millis(now)).bind(limit).fetch_all(&mut tx).await?;
                let due = due.iter().map(|row| row.try_get("sequence")).collect::<Result<Vec<i64>>>()?;
                if due.is_empty() {
                    return Ok(Vec::new());
                }
                query(
                    "UPDATE events SET state = 'sending', attempts = attempts + 1, leased_until = $2, holder = $3
                     WHERE sequence IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) AND state = 'queued'
                     RETURNING event_id, sequence, type, member_id, data, created_at, retry_until, attempts",
                )
                .bind(json_list(&due)?)
                .bind(millis(leased_until))
                .bind(self.holder.id().map(|id| id.as_str().to_owned()))
                .fetch_all(&mut tx)
                .await
            })
            .await?;
        let mut claims = Vec::new();
        for row in &claimed {
            let id = row.text_of("event_id")?;
            let unreadable = |_| StoreError::Row { table: "events", row: id.to_owned(), what: "its data" };
            let claim = EventClaim {
                id: EventId::new(id),
                member: row.try_get("member_id")?,
                attempt: count(row.try_get("attempts")?),
                event_type: row.try_get("type")?,
                retry_until: time(row.try_get("retry_until")?),
                created_at: time(row.try_get("created_at")?),
                data: serde_json::from_str(row.text_of("data")?).map_err(unreadable)?,
            };
            claims.push((row.try_get::<i64>("sequence")?, claim));
        }
        claims.sort_by_key(|(sequence, _)| *sequence);
        Ok(claims.into_iter().map(|(_, claim)| claim).collect())
    }

    /// Stores the result of an attempt. After the last one, it is the turn of the member's next event. Returns `false` and
    /// changes nothing when the lease expired and the event is no longer this attempt's.
    pub async fn end_event_attempt(
        &self,
        claim: &EventClaim,
        result: &EventResult,
        now: Time,
    ) -> Result<bool> {
        let (state, next_at, error) = match result {
            EventResult::Delivered => (EventState::Delivered, None, None),
            EventResult::Retry { at, error } => (EventState::Queued, Some(*at), Some(error)),
            EventResult::Failed { error } => (EventState::Failed, None, Some(error)),
        };
        self.write(async |mut tx| {
            lock(&mut tx, &BTreeSet::from([claim.member.as_str()])).await?;
            let ended = query(
                "UPDATE events SET state = $3, next_at = $4, last_error = coalesce($5, last_error), leased_until = NULL,
                    holder = NULL, delivered_at = CASE WHEN $3 = 'delivered' THEN $6 ELSE delivered_at END,
                    failed_at = CASE WHEN $3 = 'failed' THEN $6 ELSE failed_at END
                 WHERE event_id = $1 AND state = 'sending' AND attempts = $2",
            )
            .bind(claim.id.as_str())
            .bind(claim.attempt)
            .bind(state.as_str())
            .bind(next_at.map(millis))
            .bind(error.cloned())
            .bind(millis(now))
            .execute(&mut tx)
            .await?;
            if ended.rows_affected() == 0 {
                return Ok(false);
            }
            if next_at.is_none() {
                give_turn(&mut tx, &claim.member, now).await?;
            }
            Ok(true)
        })
        .await
    }

    /// Queues the events again whose lease expired, except those in `held`. Returns their number.
    pub async fn rescue_expired_events(&self, now: Time, held: &[EventId]) -> Result<u64> {
        let expired = "state <> 'delivered' AND state = 'sending' AND leased_until <= $1 AND event_id NOT IN (SELECT value FROM json_each($2))";
        let held = json_list(&held.iter().map(EventId::as_str).collect::<Vec<_>>())?;
        let any = query(format!("SELECT 1 FROM events WHERE {expired} LIMIT 1"));
        if any.bind(millis(now)).bind(&held).fetch_optional(&self.reader).await?.is_none() {
            return Ok(0);
        }
        let rescue = query(format!(
            "UPDATE events SET state = 'queued', leased_until = NULL, holder = NULL, last_error = 'interrupted' WHERE {expired}"
        ));
        self.execute(rescue.bind(millis(now)).bind(held)).await
    }

    /// Retries an event that failed, or waits for its next attempt, from now on. Returns `false` when it is delivered or
    /// being sent, and `None` when there is no such event.
    pub async fn retry_event(&self, id: &EventId, now: Time) -> Result<Option<bool>> {
        self.write(async |mut tx| {
            let member: Option<String> = query_scalar("SELECT member_id FROM events WHERE event_id = $1")
                .bind(id.as_str())
                .fetch_optional(&mut tx)
                .await?;
            let Some(member) = member else { return Ok(None) };
            lock(&mut tx, &BTreeSet::from([member.as_str()])).await?;
            let queued = queue_again(&mut tx, id.as_str(), &member, now).await?;
            if queued {
                audit::record(&mut tx, AuditEntry::new(AuditAction::EventRetry).target(id.as_str()), now)
                    .await?;
            }
            Ok(Some(queued))
        })
        .await
    }

    /// Retries the events that failed. Returns their ids, in the order of the facts.
    pub async fn retry_failed_events(&self, now: Time) -> Result<Vec<EventId>> {
        self.retry_failed_events_of(None, now).await
    }

    /// Like [`Store::retry_failed_events`], for one type.
    pub async fn retry_failed_events_of(&self, event_type: Option<&str>, now: Time) -> Result<Vec<EventId>> {
        let mut retried = Vec::new();
        let mut after = 0;
        loop {
            let failed: Vec<(i64, String, String)> = query_as(
                "SELECT sequence, event_id, member_id FROM events WHERE state <> 'delivered' AND state = 'failed' AND sequence > $1
                   AND ($3 IS NULL OR type = $3) ORDER BY sequence LIMIT $2",
            )
            .bind(after)
            .bind(BATCH)
            .bind(event_type.map(str::to_owned))
            .fetch_all(&self.reader)
            .await?;
            let Some((last, ..)) = failed.last() else { return Ok(retried) };
            after = *last;
            let members: BTreeSet<&str> = failed.iter().map(|(_, _, member)| member.as_str()).collect();
            let queued = self
                .write(async |mut tx| {
                    lock(&mut tx, &members).await?;
                    let mut queued = Vec::new();
                    for (_, id, member) in &failed {
                        if queue_again(&mut tx, id, member, now).await? {
                            queued.push(EventId::new(id));
                        }
                    }
                    if !queued.is_empty() {
                        let entry = AuditEntry::new(AuditAction::EventRetry).affected(queued.len() as u64);
                        audit::record(&mut tx, entry, now).await?;
                    }
                    Ok(queued)
                })
                .await?;
            retried.extend(queued);
        }
    }

    /// Deletes events that were delivered long ago. Returns their number.
    pub async fn prune_events(&self, now: Time) -> Result<u64> {
        let old = "state = 'delivered' AND delivered_at < $1";
        let any = query(format!("SELECT 1 FROM events WHERE {old} LIMIT 1"));
        if any.bind(millis(now - KEEP)).fetch_optional(&self.reader).await?.is_none() {
            return Ok(0);
        }
        let delete = query(format!(
            "DELETE FROM events WHERE sequence IN
                (SELECT sequence FROM events WHERE {old} ORDER BY delivered_at LIMIT $2)"
        ));
        self.execute(delete.bind(millis(now - KEEP)).bind(BATCH)).await
    }
}

/// The events of a member are locked.
async fn queue_again(tx: &mut Tx, id: &str, member: &str, now: Time) -> Result<bool> {
    let hurried =
        query("UPDATE events SET next_at = $2 WHERE event_id = $1 AND state = 'queued' AND next_at > $2")
            .bind(id)
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
    if hurried.rows_affected() > 0 {
        return Ok(true);
    }
    let queued = query(
        "UPDATE events SET state = 'queued', retry_until = $2, failed_at = NULL WHERE event_id = $1 AND state = 'failed'",
    )
    .bind(id)
    .bind(millis(now + RETRY_FOR))
    .execute(&mut *tx)
    .await?;
    if queued.rows_affected() == 0 {
        return Ok(false);
    }
    let is_busy: bool =
        query_scalar("SELECT EXISTS (SELECT 1 FROM events WHERE member_id = $1 AND next_at IS NOT NULL)")
            .bind(member)
            .fetch_one(&mut *tx)
            .await?;
    if !is_busy {
        give_turn(tx, member, now).await?;
    }
    Ok(true)
}

/// Makes a member's next event due, if no other is.
async fn give_turn(tx: &mut Tx, member: &str, now: Time) -> Result<()> {
    query(
        "UPDATE events SET next_at = $2 WHERE sequence =
            (SELECT min(sequence) FROM events WHERE member_id = $1 AND state = 'queued')",
    )
    .bind(member)
    .bind(millis(now))
    .execute(&mut *tx)
    .await?;
    Ok(())
}
