//! Decides who has an open lapse and gets no more email about it: `unreachable_members`.

use super::convert::{json_list, millis};
use super::engine::{Tx, query, query_as, query_scalar};
use super::error::Result;
use super::events::{NewEvent, NewEvents};
use super::json_rows::write_rows;
use super::row::RowExt;
use super::sqlite::Store;
use super::suppressed::SUPPRESSED;
use super::unclear::last_answer_at;
use super::unreachable::NO_RESPONSE;
use crate::domain::{EventType, MemberId, NoticeReason, Reachability, Time};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct UnreachableRow<'a> {
    member: &'a MemberId,
    reason: &'static str,
}

impl Store {
    /// The unpaused members who get no more email about an open lapse, by reason code, and the others without a usable
    /// response since `answered_since`.
    pub(super) async fn unreachable(&self, answered_since: Time) -> Result<BTreeMap<String, u64>> {
        let rows: Vec<(String, i64, i64)> = query_as(format!(
            "SELECT r.reason, count(*), count(*) FILTER (WHERE coalesce({}, m.added_at) < $1)
             FROM unreachable_members r JOIN members m ON m.member_id = r.member_id
             LEFT JOIN unclear_members u ON u.member_id = m.member_id
             WHERE m.removed_at IS NULL AND m.paused_at IS NULL GROUP BY r.reason",
            last_answer_at()
        ))
        .bind(millis(answered_since))
        .fetch_all(&self.reader)
        .await?;
        let counted: i64 = rows.iter().map(|(_, _, silent)| silent).sum();
        let silent = self.unreachable_members(answered_since).await?.saturating_sub(counted.unsigned_abs());
        let mut unreachable: BTreeMap<_, _> =
            rows.into_iter().map(|(reason, members, _)| (reason, members.unsigned_abs())).collect();
        if silent > 0 {
            unreachable.insert(NO_RESPONSE.to_owned(), silent);
        }
        Ok(unreachable)
    }
}

/// Decides again which of the members are unreachable. To be called in each unit that plans for them.
pub(super) async fn reassess(tx: &mut Tx, members: &[MemberId], now: Time) -> Result<()> {
    let list = json_list(members)?;
    let known: Vec<String> = query_scalar(
        "SELECT member_id FROM unreachable_members WHERE member_id IN (SELECT value FROM json_each($1))",
    )
    .bind(&list)
    .fetch_all(&mut *tx)
    .await?;
    let facts = read(tx, &list).await?;
    let unreachable: Vec<_> = facts
        .iter()
        .filter_map(|(member, facts)| {
            let reason = facts.unreachable_because()?.as_str();
            Some(UnreachableRow { member, reason })
        })
        .collect();
    let is_over = |id: &&String| unreachable.iter().all(|row| row.member.as_str() != id.as_str());
    let over: Vec<_> = known.iter().filter(is_over).collect();
    write_rows(tx, &over, |ids| {
        query("DELETE FROM unreachable_members WHERE member_id IN (SELECT value FROM json_each($1))")
            .bind(ids)
    })
    .await?;
    write_rows(tx, &unreachable, |rows| {
        query(
            "INSERT INTO unreachable_members (member_id, reason, since)
             SELECT value ->> 'member', value ->> 'reason', $2 FROM json_each($1) WHERE TRUE
             ON CONFLICT (member_id) DO UPDATE SET reason = excluded.reason",
        )
        .bind(rows)
        .bind(millis(now))
    })
    .await?;
    let is_new = |row: &UnreachableRow<'_>| known.iter().all(|id| id != row.member.as_str());
    let mut events = NewEvents::new(tx);
    for UnreachableRow { member, reason } in unreachable.iter().filter(|row| is_new(row)) {
        let event = NewEvent::about(member, EventType::MemberUnreachable);
        events.add(event.with("reason", *reason).with_time("since", Some(now)));
    }
    events.write(tx, now).await
}

/// What decides about the members of a JSON list. Those without an open lapse are left out.
async fn read(tx: &mut Tx, members: &str) -> Result<BTreeMap<MemberId, Reachability>> {
    let rows = query(format!(
        "SELECT m.member_id, {SUPPRESSED} AS is_suppressed,
            EXISTS (SELECT 1 FROM credential_failures f WHERE f.member_id = m.member_id) AS is_refused,
            (SELECT d.reason FROM decisions d WHERE d.lapse_id = l.lapse_id AND d.what = 'notice'
             ORDER BY d.decision_id DESC LIMIT 1) AS reason,
            coalesce((SELECT n.address_hash FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
             WHERE i.lapse_id = l.lapse_id AND n.sent_at IS NOT NULL
             ORDER BY n.sent_at DESC LIMIT 1) <> m.address_hash, FALSE) AS has_moved
         FROM lapses l JOIN members m ON m.member_id = l.member_id
         WHERE l.state = 'open' AND l.member_id IN (SELECT value FROM json_each($1))
           AND coalesce(m.removed_at, m.paused_at) IS NULL
         ORDER BY l.member_id, l.opened_at, l.lapse_id"
    ))
    .bind(members)
    .fetch_all(tx)
    .await?;
    let mut facts: BTreeMap<MemberId, Reachability> = BTreeMap::new();
    for row in &rows {
        let member = facts.entry(row.text("member_id")?).or_default();
        member.is_suppressed = row.try_get("is_suppressed")?;
        member.has_credential_failure = row.try_get("is_refused")?;
        let has_moved: bool = row.try_get("has_moved")?;
        let reason = row.optional_text_of("reason")?.filter(|_| !has_moved);
        member.decisions.push(reason.and_then(|reason| reason.parse::<NoticeReason>().ok()));
    }
    Ok(facts)
}
