//! `unclear_members`: members without a usable response, and when the last one was.

use super::engine::{Tx, query, query_scalar};
use super::row_locks::lock_members;
use super::sweeps::COVERS_MEMBER;
use super::{Result, Store, json_list, millis};
use crate::domain::{MemberId, Time};
use serde::Serialize;
use std::collections::BTreeMap;

/// A member whose poll gave no usable response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnclearMember {
    pub(crate) member_id: MemberId,
    /// A reason code.
    pub(crate) reason: &'static str,
    /// The gateway asked to poll this member no sooner.
    pub(crate) retry_at: Option<Time>,
}

/// The reason of a member who resumed, until a sweep has polled them.
const WAITING_FOR_SWEEP: &str = "waiting_for_sweep";

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    reason: &'a str,
    retry_at: Option<i64>,
}

/// SQL for the instant of the last usable response about member `m`, left-joined with `unclear_members u`: null when
/// there never was one. A sweep that covered a member without leaving a row in `unclear_members` had a usable response.
pub(super) fn last_answer_at() -> String {
    format!("CASE WHEN u.member_id IS NOT NULL THEN u.last_answer_at ELSE {} END", last_covered_at())
}

fn last_covered_at() -> String {
    format!(
        "nullif(max(coalesce(m.answered_at, 0), coalesce((SELECT s.finished_at FROM sweeps s
            WHERE s.finished_at IS NOT NULL AND {COVERS_MEMBER}
              AND s.started_at > m.added_at AND s.started_at < coalesce(m.paused_at, {})
            ORDER BY s.started_at DESC LIMIT 1), 0)), 0)",
        i64::MAX
    )
}

/// Records paused members who resume now as without a usable response: the sweeps during the pause did not poll them.
/// Their last response is the one before the pause. `members`: a JSON array.
pub(super) async fn record_resumed(tx: &mut Tx, members: &str, now: Time) -> Result<()> {
    let sql = format!(
        "INSERT INTO unclear_members (member_id, reason, since, last_answer_at)
         SELECT m.member_id, $3, $2, {} FROM members m WHERE m.member_id IN (SELECT value FROM json_each($1))
         ON CONFLICT (member_id) DO NOTHING",
        last_covered_at()
    );
    query(sql).bind(members).bind(millis(now)).bind(WAITING_FOR_SWEEP).execute(tx).await?;
    Ok(())
}

impl Store {
    /// Records members without a usable response. A member who was not recorded yet had the last usable one when the last
    /// finished sweep that covered them ended, or later if `answered_at` says so.
    pub(crate) async fn record_unclear(&self, members: &[UnclearMember], now: Time) -> Result<()> {
        if members.is_empty() {
            return Ok(());
        }
        // A member who was polled twice counts once, as they were last.
        let latest: BTreeMap<&str, &UnclearMember> =
            members.iter().map(|unclear| (unclear.member_id.as_str(), unclear)).collect();
        let rows: Vec<_> = latest
            .into_iter()
            .map(|(id, unclear)| Row { id, reason: unclear.reason, retry_at: unclear.retry_at.map(millis) })
            .collect();
        let sql = format!(
            "INSERT INTO unclear_members (member_id, reason, since, last_answer_at, retry_at)
             SELECT m.member_id, j.value ->> 'reason', $2, {}, CAST(j.value ->> 'retry_at' AS BIGINT)
             FROM json_each($1) j JOIN members m ON m.member_id = j.value ->> 'id' WHERE m.removed_at IS NULL
             ON CONFLICT (member_id) DO UPDATE SET reason = excluded.reason, retry_at = excluded.retry_at",
            last_covered_at()
        );
        self.execute(query(sql).bind(json_list(&rows)?).bind(millis(now))).await?;
        Ok(())
    }

    /// Records that these members have a usable response again.
    pub(crate) async fn clear_unclear(&self, members: &[MemberId], now: Time) -> Result<()> {
        if members.is_empty() {
            return Ok(());
        }
        let list = json_list(members)?;
        self.write(async |mut tx| {
            lock_members(&mut tx, members).await?;
            query("DELETE FROM unclear_members WHERE member_id IN (SELECT value FROM json_each($1))")
                .bind(&list)
                .execute(&mut tx)
                .await?;
            // The sweep that covers them may be hours from its end.
            query(
                "UPDATE members SET answered_at = max(coalesce(answered_at, 0), $2)
                 WHERE member_id IN (SELECT value FROM json_each($1))",
            )
            .bind(&list)
            .bind(millis(now))
            .execute(&mut tx)
            .await?;
            Ok(())
        })
        .await
    }

    /// The number of unpaused members without a usable response since `since`.
    pub async fn unreachable_members(&self, since: Time) -> Result<u64> {
        let sql = format!(
            "SELECT count(*) FROM members m LEFT JOIN unclear_members u ON u.member_id = m.member_id
             WHERE m.removed_at IS NULL AND m.paused_at IS NULL AND coalesce({}, m.added_at) < $1",
            last_answer_at()
        );
        let count: i64 = query_scalar(sql).bind(millis(since)).fetch_one(&self.reader).await?;
        Ok(count.unsigned_abs())
    }
}
