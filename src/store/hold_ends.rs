//! The ends of holds: releases, takeovers, and holds whose time is over.

use super::audit;
use super::engine::{Tx, query, query_scalar};
use super::hold_events::{self, StormEnd};
use super::holds::{HoldRecord, has_item, hold_queued, is_covered_by, is_partly_free, queue_again};
use super::waiting_notices::plan_again;
use super::{Result, Store, millis};
use crate::base::random;
use crate::domain::{AuditAction, AuditEntry, HoldId, HoldKind, HoldState, Time};

/// What a release found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The number of notices that are queued again.
    Released(u64),
    HadEnded,
    Unknown,
}

/// What taking over a storm's hold found.
#[derive(Clone, Debug)]
pub enum Takeover {
    /// The operator's hold in its place.
    Taken(HoldRecord),
    IsOperators,
    HadEnded,
    Unknown,
}

impl Store {
    /// Ends a hold at once. What no other hold covers is queued again.
    pub async fn release_hold(&self, id: &HoldId, now: Time) -> Result<Release> {
        self.write(async |mut tx| {
            let state: Option<String> = query_scalar("SELECT state FROM holds WHERE hold_id = $1")
                .bind(id.as_str())
                .fetch_optional(&mut tx)
                .await?;
            match state.as_deref().and_then(|state| state.parse().ok()) {
                None => return Ok(Release::Unknown),
                Some(HoldState::Ended) => return Ok(Release::HadEnded),
                Some(HoldState::Holding) => {
                    hold_events::record_end(&mut tx, id, StormEnd::Released, now).await?;
                }
                Some(HoldState::Dripping) => {}
            }
            query("UPDATE holds SET state = 'ended', ended_at = $2, counted_until = $2 WHERE hold_id = $1")
                .bind(id.as_str())
                .bind(millis(now))
                .execute(&mut tx)
                .await?;
            let notices = release_uncovered(&mut tx, now).await?;
            let entry = AuditEntry::new(AuditAction::HoldRelease).target(id.as_str()).affected(notices);
            audit::record(&mut tx, entry, now).await?;
            Ok(Release::Released(notices))
        })
        .await
    }

    /// Ends a storm's hold and adds one by the operator with the same scope, in one unit of work: nothing is released.
    pub async fn take_over_hold(
        &self,
        id: &HoldId,
        until: Option<Time>,
        reason: &str,
        now: Time,
    ) -> Result<Takeover> {
        let new = random::id(now);
        let unit = async |mut tx: Tx| {
            let was_holding: bool =
                query_scalar("SELECT EXISTS (SELECT 1 FROM holds WHERE hold_id = $1 AND state = 'holding')")
                    .bind(id.as_str())
                    .fetch_one(&mut tx)
                    .await?;
            let ended = query(
                "UPDATE holds SET state = 'ended', ended_at = $2, counted_until = $2
                 WHERE hold_id = $1 AND kind = 'storm' AND state <> 'ended'",
            )
            .bind(id.as_str())
            .bind(millis(now))
            .execute(&mut tx)
            .await?;
            if ended.rows_affected() == 0 {
                let state: Option<String> = query_scalar("SELECT state FROM holds WHERE hold_id = $1")
                    .bind(id.as_str())
                    .fetch_optional(&mut tx)
                    .await?;
                return Ok(Some(match state.as_deref().and_then(|state| state.parse().ok()) {
                    None => Takeover::Unknown,
                    Some(HoldState::Ended) => Takeover::HadEnded,
                    Some(HoldState::Holding | HoldState::Dripping) => Takeover::IsOperators,
                }));
            }
            query(
                "INSERT INTO holds (hold_id, kind, state, source, member_id, status, reason, since, until)
                 SELECT $2, $3, 'holding', source, member_id, status, $4, $5, $6 FROM holds WHERE hold_id = $1",
            )
            .bind(id.as_str())
            .bind(&new)
            .bind(HoldKind::Operator.as_str())
            .bind(reason)
            .bind(millis(now))
            .bind(until.map(millis))
            .execute(&mut tx)
            .await?;
            if was_holding {
                hold_events::record_end(&mut tx, id, StormEnd::TakenOver, now).await?;
            }
            keep_held(&mut tx, &new, now).await?;
            hold_queued(&mut tx, HoldKind::Operator, now).await?;
            audit::record(&mut tx, AuditEntry::new(AuditAction::HoldTake).target(id.as_str()), now).await?;
            Ok(None)
        };
        if let Some(refused) = self.write(unit).await? {
            return Ok(refused);
        }
        let taken = self.read_holds("h.hold_id = $1", Some(&new)).await?.pop();
        Ok(taken.map_or(Takeover::Unknown, Takeover::Taken))
    }

    /// Ends the holds whose time is over. Returns how many notices are queued again.
    pub async fn end_due_holds(&self, now: Time) -> Result<u64> {
        let is_due = "state <> 'ended' AND until <= $1";
        if !self.has_due_hold(is_due, now).await? {
            return Ok(0);
        }
        self.write(async |mut tx| {
            query(format!("UPDATE holds SET state = 'ended', ended_at = until WHERE {is_due}"))
                .bind(millis(now))
                .execute(&mut tx)
                .await?;
            release_uncovered(&mut tx, now).await
        })
        .await
    }
}

/// Lets an operator's hold, which is new, hold what a storm held. What another storm still covers stays its own.
async fn keep_held(tx: &mut Tx, hold: &str, now: Time) -> Result<()> {
    let covered = is_covered_by("h.hold_id = $2");
    let stormy = is_covered_by("h.kind = 'storm' AND h.state <> 'ended'");
    let kept: Vec<String> = query_scalar(format!(
        "UPDATE notices AS n SET reason = $3 WHERE n.state = 'held' AND n.reason = $4
           AND {} AND NOT {} RETURNING notice_id",
        has_item(&covered),
        has_item(&stormy)
    ))
    .bind(millis(now))
    .bind(hold)
    .bind(HoldKind::Operator.reason().as_str())
    .bind(HoldKind::Storm.reason().as_str())
    .fetch_all(&mut *tx)
    .await?;
    plan_again(tx, &kept, now).await
}

/// Queues the held notices of which some part is no longer covered.
async fn release_uncovered(tx: &mut Tx, now: Time) -> Result<u64> {
    // What a storm held goes out little by little.
    queue_again(tx, &is_partly_free(&[HoldState::Holding, HoldState::Dripping]), now).await
}
